"""The clients people have, as data: what each tries again, when and where. `persistence.next_step` reads it.

Each was read in the client's source at the version named and, for crane, skopeo and regclient, held against the real program by
`tests/contract/clients`; `docs/clients.md` has what was measured and where a profile differs from its client on purpose. No client here
has a limit on how long an answer may take: a `timeout` is ours, and counts where the source tries time-outs again. A DELETE is never sent
again by us; crane, skopeo (429) and regclient treat one like any other request without a body.
"""

from collections.abc import Mapping

from chaoskit.registry.outcome import Trouble
from chaoskit.registry.patience import Failover, Habits, Patience, Profile, Step, Wear

__all__ = ["BASIC", "CONTAINERD", "CRANE", "DOCKER", "NONE", "PROFILES", "REGCLIENT", "SKOPEO", "Profile", "as_markdown"]

_MS = 1_000_000
_S = 1_000 * _MS
_ANY_TROUBLE: frozenset[Trouble] = frozenset({"dns", "refused", "tls", "reset", "eof", "timeout", "cut", "other"})
_5XX = frozenset({500, 502, 503, 504})
_GETS: tuple[Step, ...] = ("ping", "manifest-get", "blob-get")
_HEADS: tuple[Step, ...] = ("manifest-head", "blob-head")
_UPLOAD: tuple[Step, ...] = ("blob-head", "upload-post", "upload-patch", "upload-put", "upload-commit")


def _each(steps: tuple[Step, ...], patience: Patience) -> Mapping[Step, Patience]:
    return dict.fromkeys(steps, patience)


NONE = Profile("none")
"""First attempts only: the pinned lane."""

_BASIC_READ = Patience(
    (1 * _S, 3 * _S), statuses=frozenset({*range(100, 400), 408, 429, *range(500, 600)}), troubles=_ANY_TROUBLE | {"harness"}
)
_BASIC_UPLOAD = Patience(
    _BASIC_READ.delays_ns, statuses=_BASIC_READ.statuses | {404, 416}, troubles=_BASIC_READ.troubles, begins_at="blob-head"
)
BASIC = Profile(
    "basic",
    patience={**_each((*_GETS, "manifest-head", "manifest-put"), _BASIC_READ), **_each(_UPLOAD, _BASIC_UPLOAD)},
    body=_BASIC_READ,
    pull=Failover.TRY,
    push=Failover.TRY,
)
"""Ours, of no client: three tries, after 1 s and 3 s, each at the next entry; all but a definitive 4xx counts. A HEAD of a blob answered
with an error is no failure to our push: it goes on.
"""

_CRANE_TROUBLES: frozenset[Trouble] = frozenset({"reset", "eof", "timeout"})
_CRANE_READ = Patience((100 * _MS, 300 * _MS), statuses=_5XX | {408, 499, 522}, troubles=_CRANE_TROUBLES, jitter=0.1)
_CRANE_WRITE = Patience(
    (1 * _S, 3 * _S),
    statuses=_5XX | {408},
    troubles=_CRANE_TROUBLES,
    codes=frozenset({"BLOB_UPLOAD_INVALID", "TOOMANYREQUESTS", "UNKNOWN", "UNAVAILABLE"}),
    jitter=0.1,
)
_CRANE_UPLOAD = Patience(
    _CRANE_WRITE.delays_ns,
    statuses=_CRANE_WRITE.statuses,
    troubles=_CRANE_TROUBLES,
    codes=_CRANE_WRITE.codes,
    begins_at="blob-head",
    jitter=0.1,
)
CRANE = Profile(
    "crane",
    patience={**_each((*_GETS, "manifest-head"), _CRANE_READ), **_each(_UPLOAD, _CRANE_UPLOAD), "manifest-put": _CRANE_WRITE},
    pull=Failover.DIAL,
    push=Failover.DIAL,
    resends_kept=True,
    habits=Habits(heads_manifest_on_push=True, upload="chunked", blobs_down=0, blobs_up=4),
)
"""google/go-containerregistry v0.20.2. Reads: pkg/v1/remote/transport/retry.go, retryTransport.RoundTrip and defaultBackoff (the 1 s of
pkg/v1/remote/options.go, defaultRetryBackoff, is not handed to it). Uploads and manifests, from the HEAD on: pkg/v1/remote/write.go,
writer.uploadOne and commitManifest, under retry.Never; which errors: options.go, defaultRetryPredicate, and transport/error.go,
Error.Temporary. A body that breaks off, a refused dial and a bare 429 are the end. Jobs: options.go, defaultJobs; layout/write.go has none.
"""

_SKOPEO = Patience((2 * _S, 4 * _S, 8 * _S, 16 * _S), statuses=frozenset({429}), honours_retry_after=True)
SKOPEO = Profile(
    "skopeo",
    patience=_each((*_GETS, *_HEADS, "upload-post", "upload-commit"), _SKOPEO),
    pull=Failover.DIAL,
    push=Failover.DIAL,
    habits=Habits(heads_of_a_blob=2, upload="chunked", blobs_down=6, blobs_up=6),
)
"""skopeo 1.9.3 without `--retry-times`; containers/image docker/docker_client.go, makeRequestToResolvedURL: 429 only, five tries, 2 s
doubled or Retry-After, and never with a body (PATCH, manifest PUT). Blobs at once: copy/copy.go, maxParallelDownloads. From image v5.24 on
docker/body_reader.go resumes a body after 1 MiB of progress; 1.9.3 does not.
"""

_REG_TROUBLES = _ANY_TROUBLE - {"cut"}
_REG_SPACING_NS = (0, 200 * _MS, 400 * _MS, 800 * _MS, 1_600 * _MS, 3_200 * _MS, 6_400 * _MS, 12_800 * _MS, 25_600 * _MS, 30 * _S)
_REG = Patience(_REG_SPACING_NS[1:5], statuses=frozenset({408, 429, 500, 502, 504}), troubles=_REG_TROUBLES)
_REG_POST = Patience(_REG.delays_ns, statuses=_REG.statuses, troubles=_REG_TROUBLES, free=1)
REGCLIENT = Profile(
    "regclient",
    patience={**_each((*_GETS, *_HEADS, *_UPLOAD, "manifest-put"), _REG), "upload-post": _REG_POST},
    body=Patience(_REG.delays_ns, troubles=frozenset({"cut"}), is_resumed=True),
    pull=Failover.MIRRORS,
    goes_on={"blob-head": "upload-post", "upload-put": "upload-patch"},
    wear=Wear(_REG_SPACING_NS, limit=5, most_tries=6),
    resends_kept=True,
    habits=Habits(pings=0, heads_manifest_on_push=True, upload="monolithic", chunk_bytes=1024 * 1024, blobs_down=3, blobs_up=3),
)
"""regclient/regclient v0.8.2 (regctl). internal/reghttp/http.go, Resp.next (which statuses; 503 drops the host), backoffGet, backoffSet (an
account for each host, 0.1 s shifted by its failures, at most 30 s; Retry-After), Resp.Read (an early end is resumed by Range, a reset
not). scheme/reg/blob.go, BlobPut: the first POST asks for a mount and its failure is ignored; a PUT given up is sent again in chunks of
1 MiB. Writes go to the first host only (NoMirrors). Blobs at once: config/host.go, defaultConcurrent.
"""

_NOW = (0, 0, 0, 0, 0)
_CTR = Patience(_NOW, statuses=frozenset({408, 429}), once=frozenset({500, 503, 504}))
CONTAINERD = Profile(
    "containerd",
    patience=_each((*_GETS, *_HEADS, "upload-post", "upload-put", "manifest-put"), _CTR),
    body=Patience((0, 0, 0), troubles=frozenset({"cut"}), is_resumed=True, progress_is_free=True),
    pull=Failover.HOSTS,
    resends_kept=True,
    habits=Habits(pings=0, heads_manifest_on_pull=True, heads_manifest_on_push=True, upload="monolithic", blobs_down=3, blobs_up=3),
)
"""containerd/containerd v2.1.4. core/remotes/docker/resolver.go, request.retryRequest: 408 and 429 at once, up to six answers; 500, 503 and
504 once more and at the last host only; 502 and broken connections never. fetcher.go, dockerFetcher.Fetch, and resolver.go, Resolve: the
hosts of hosts.toml in turn. httpreadseeker.go, Read: an early end is resumed by Range from the first host on, three times without progress.
pusher.go, push: the first host only. At once: plugins/transfer/plugin.go. Read, not run.
"""

_DOCKER_DELAYS_NS = (5 * _S, 10 * _S, 15 * _S, 20 * _S)
_DOCKER_READ = Patience(_DOCKER_DELAYS_NS, statuses=frozenset(range(500, 600)), troubles=_ANY_TROUBLE)
_DOCKER_UPLOAD = Patience(
    _DOCKER_DELAYS_NS, statuses=frozenset({404, 416, *range(500, 600)}), troubles=_ANY_TROUBLE, begins_at="upload-post"
)
DOCKER = Profile(
    "docker",
    patience={"blob-get": _DOCKER_READ, **_each(("upload-post", "upload-patch", "upload-commit"), _DOCKER_UPLOAD)},
    body=Patience(_DOCKER_DELAYS_NS, troubles=_ANY_TROUBLE, is_resumed=True),
    pull=Failover.DIAL,
    push=Failover.DIAL,
    goes_on={"blob-head": "upload-post"},
    habits=Habits(heads_of_a_blob=0, upload="chunked", blobs_down=3, blobs_up=5),
)
"""moby/moby v28.5.1 (the classic image store). distribution/xfer/download.go, makeDownloadFunc, and upload.go, makeUploadFunc: five tries
of a layer, 5 s more each time; distribution/errors.go, retryOnError; pull_v2.go, layerDescriptor.Download, resumes by Range. Ping and
manifest are asked once, the HEAD of a layer only where an earlier push is remembered. Connections are not kept (registry.go). Read, not
run.
"""

PROFILES = {profile.name: profile for profile in (NONE, BASIC, CRANE, CONTAINERD, SKOPEO, REGCLIENT, DOCKER)}


def _kinds(patience: Patience) -> str:
    """Which failures, in a cell; a full hundred of statuses as 5xx."""
    full = [hundred for hundred in range(1, 6) if patience.statuses >= frozenset(range(100 * hundred, 100 * hundred + 100))]
    left = (str(status) for status in sorted(patience.statuses) if status // 100 not in full)
    troubles = ["any trouble"] if patience.troubles >= _ANY_TROUBLE else sorted(patience.troubles)
    once = [f"{status} (once)" for status in sorted(patience.once)]
    return " ".join([*left, *(f"{hundred}xx" for hundred in full), *once, *troubles, *sorted(patience.codes or ())])


def _waits(patience: Patience) -> str:
    """When and where it begins again, in a cell."""
    parts = [", ".join(f"{delay_ns / _S:g}" for delay_ns in patience.delays_ns)]
    parts += [f"up to {patience.jitter:.0%} more"] if patience.jitter else []
    parts += ["or Retry-After"] if patience.honours_retry_after else []
    parts += [f"{patience.free} more at once, uncounted"] if patience.free else []
    parts += ["the rest by Range"] if patience.is_resumed else []
    parts += ["progress is free"] if patience.progress_is_free else []
    parts += [f"again from {patience.begins_at}"] if patience.begins_at else []
    return "; ".join(parts)


def as_markdown() -> str:
    """The profiles as the docs show them: a row for the requests that are treated alike; what has no row is never sent again."""
    lines = ["| profile | requests | tried again after | waits, s | addresses: pull, push |", "|---|---|---|---|---|"]
    for profile in PROFILES.values():
        groups: list[tuple[list[str], Patience]] = []
        for name, patience in [*profile.patience.items(), *([("blob body", profile.body)] if profile.body else [])]:
            alike = next((names for names, other in groups if other == patience), None)
            if alike is None:
                groups.append(([name], patience))
            else:
                alike.append(name)
        rows = [(", ".join(names), _kinds(patience), _waits(patience)) for names, patience in groups] or [("-", "-", "-")]
        lines += [f"| `{profile.name}` | {' | '.join(row)} | {profile.pull}, {profile.push} |" for row in rows]
    return "\n".join(lines) + "\n"
