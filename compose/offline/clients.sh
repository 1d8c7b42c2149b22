#!/usr/bin/env bash
# Builds the registry clients that tests/embedded/test_clients.py talks with, by name from the Go module proxy. One that is there is
# left alone. skopeo is the system's: apt-get install skopeo.
#
#   compose/offline/clients.sh           crane and regctl, where they are missing
#
# Needs go. The programs are kept in $CHAOSKIT_CACHE (default ~/.cache/chaoskit), so a second run takes no time.
set -euo pipefail
cache=${CHAOSKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chaoskit}
bin=$cache/bin
mkdir -p "$bin"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

crane_version=v0.20.2 regctl_version=v0.8.2

say() { echo "clients: $*"; }

go_program() {   # FILE MODULE/PATH@VERSION
  [ -x "$bin/$1" ] && return
  say "go install $2"
  mkdir -p "$tmp/gobin"
  CGO_ENABLED=0 GOBIN=$tmp/gobin GOFLAGS=-trimpath go install "$2"
  mv "$tmp/gobin"/* "$bin/$1"
}

go_program crane "github.com/google/go-containerregistry/cmd/crane@$crane_version"
go_program regctl "github.com/regclient/regclient/cmd/regctl@$regctl_version"
[ -x /usr/bin/skopeo ] || command -v skopeo >/dev/null || say "skopeo is missing: apt-get install skopeo"
say "crane and regctl present"
