"""Storms of pulls: an image is pushed that nobody else asks for, and when it is there for sure many ask for it at one instant."""

from collections.abc import Iterator
from dataclasses import replace

from chaoskit.model.workload import PlannedBlob, WorkloadSpec
from chaoskit.workload.drafts import CHUNKED_SHARE, STREAM_NUMBERS, Draft, Stream, blob_seed, source_of
from chaoskit.workload.mixes import COLD_PULLS
from chaoskit.workload.sizes import quantile
from chaoskit.workload.trace import AT_ONCE

LEAD_NS = 3_000_000_000
_SHARES = (0.3, 0.55, 0.65, 0.75, 0.85)  # of blobs that are no larger than config and layers of the image


def drafts(stream: Stream, spec: WorkloadSpec, *, slug: str, seed: int, duration_ns: int, ripe_ns: int) -> Iterator[Draft]:
    """An interval is one storm: the push at its start, the pulls `LEAD_NS` later (half an interval at most), from every entry in turn."""
    lead_ns = min(LEAD_NS, stream.interval_ns // 2)
    for first in range(0, STREAM_NUMBERS - COLD_PULLS, COLD_PULLS + 1):
        start_ns = stream.offset_ns + first // (COLD_PULLS + 1) * stream.interval_ns
        draft = Draft(stream, first, start_ns, True, source_of(stream, seed, first))
        blobs = tuple(
            PlannedBlob(blob_seed(slug, draft.number, part), quantile(share, spec.scale), draft.source.random() < CHUNKED_SHARE)
            for part, share in enumerate(_SHARES)
        )
        push = replace(draft.session("push", f"chaos/{slug}/storm", f"v{draft.number:08d}", pings=1), blobs=blobs)
        moments = ((first, start_ns), *((first + more, start_ns + lead_ns) for more in range(1, COLD_PULLS + 1)))
        for sequence, due_ns in moments:
            if due_ns >= duration_ns:
                return
            each = replace(draft, sequence=sequence, due_ns=due_ns, is_push=sequence == first)
            pull = each.session("pull", push.repository, push.tag, pings=1)
            yield replace(each, made=push if each.is_push else replace(pull, at_once=AT_ONCE))
