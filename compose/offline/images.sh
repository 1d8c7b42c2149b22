#!/usr/bin/env bash
# Builds the images of compose/images.env where nothing can be pulled: programs come from package registries by name,
# each goes into a FROM-scratch image that has the public image's interface (paths, command). An image that is there is left alone.
#
#   compose/offline/images.sh            the images and the Compose plugin that are missing
#   compose/offline/images.sh --plugin   the Compose plugin only
#
# Needs go, cargo, apt and (for the images) a Docker daemon. Built programs are kept in $CHAOSKIT_CACHE
# (default ~/.cache/chaoskit), so a second run takes seconds. Garage takes about 10 minutes the first time on 2 cores.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${CHAOSKIT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chaoskit}
bin=$cache/bin
mkdir -p "$bin"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

distribution_version=v3.1.2 toxiproxy_version=v2.12.0 garage_version=2.5.0 compose_version=v2.40.3

say() { echo "images: $*"; }

pinned() {   # NAME -> the image reference in force
  local name=CHAOSKIT_IMAGE_$1
  if [ -n "${!name:-}" ]; then echo "${!name}"; else sed -n "s/^$name=//p" "$here/../images.env"; fi
}

go_program() {   # FILE MODULE/PATH@VERSION
  [ -x "$bin/$1" ] && return
  say "go install $2"
  mkdir -p "$tmp/gobin"
  CGO_ENABLED=0 GOBIN=$tmp/gobin GOFLAGS=-trimpath go install "$2"
  mv "$tmp/gobin"/* "$bin/$1"
}

compose_plugin() {
  docker compose version >/dev/null 2>&1 && return
  if [ ! -x "$bin/docker-compose" ]; then
    say "building the Compose plugin $compose_version"
    mkdir -p "$tmp/plugin"
    (cd "$tmp/plugin" && go mod init chaoskit.invalid/plugin >/dev/null 2>&1 \
      && go get -tool "github.com/docker/compose/v2/cmd@$compose_version" >/dev/null \
      && CGO_ENABLED=0 go build -trimpath -o "$bin/docker-compose" github.com/docker/compose/v2/cmd)
  fi
  mkdir -p "$HOME/.docker/cli-plugins"
  install -m 755 "$bin/docker-compose" "$HOME/.docker/cli-plugins/docker-compose"
  say "Compose plugin installed: $(docker compose version)"
}

garage_program() {
  [ -x "$bin/garage" ] && return
  say "cargo install garage@$garage_version (about 10 minutes)"
  cargo install "garage@$garage_version" --no-default-features --features bundled-libs,sqlite --locked --root "$cache/garage"
  cp "$cache/garage/bin/garage" "$bin/garage"
}

debian_program() {   # FILE PACKAGE PATH
  [ -x "$bin/$1" ] && return
  if [ ! -x "$3" ]; then
    say "apt-get install $2"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
  fi
  cp "$3" "$bin/$1"
}

with_libraries() {   # PROGRAM ROOT: copies the shared libraries the program needs
  { ldd "$1" 2>/dev/null | grep -oE '/[^ ]+' || true; } | sort -u | while read -r library; do
    mkdir -p "$2$(dirname "$library")"
    cp -L "$library" "$2$library"
  done
}

missing() { ! docker image inspect "$1" >/dev/null 2>&1; }

image() {   # REFERENCE CMD-JSON FILE=PATH...
  local reference=$1 command=$2 root
  shift 2
  root=$(mktemp -d "$tmp/image.XXXX")
  mkdir -p "$root/fs/tmp" "$root/fs/etc"
  chmod 1777 "$root/fs/tmp"
  printf 'root:x:0:0::/:\nhaproxy:x:99:99::/:\n' >"$root/fs/etc/passwd"
  printf 'root:x:0:\nhaproxy:x:99:\n' >"$root/fs/etc/group"
  for pair in "$@"; do
    mkdir -p "$root/fs$(dirname "${pair#*=}")"
    install -m 755 "$bin/${pair%%=*}" "$root/fs${pair#*=}"
    with_libraries "$bin/${pair%%=*}" "$root/fs"
  done
  printf 'FROM scratch\nCOPY fs /\nENV PATH=/usr/local/sbin:/usr/local/bin:/bin:/\nLABEL io.chaoskit.offline=true\nCMD %s\n' "$command" >"$root/Dockerfile"
  DOCKER_BUILDKIT=0 docker build -q -t "$reference" "$root" >/dev/null 2>"$tmp/build.log" || { cat "$tmp/build.log" >&2; exit 1; }
  say "built $reference"
}

compose_plugin
[ "${1:-}" = --plugin ] && exit 0

if missing "$(pinned REGISTRY)"; then
  go_program registry "github.com/distribution/distribution/v3/cmd/registry@$distribution_version"
  image "$(pinned REGISTRY)" '["/bin/registry", "serve", "/etc/distribution/config.yml"]' registry=/bin/registry
fi
if missing "$(pinned TOXIPROXY)"; then
  go_program toxiproxy "github.com/Shopify/toxiproxy/v2/cmd/server@$toxiproxy_version"
  image "$(pinned TOXIPROXY)" '["/toxiproxy", "-host=0.0.0.0"]' toxiproxy=/toxiproxy
fi
if missing "$(pinned HAPROXY)"; then
  debian_program haproxy haproxy /usr/sbin/haproxy
  image "$(pinned HAPROXY)" '["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]' haproxy=/usr/local/sbin/haproxy
fi
if missing "$(pinned GARAGE)"; then
  garage_program
  image "$(pinned GARAGE)" '["/garage", "server"]' garage=/garage
fi
say "all images present"
