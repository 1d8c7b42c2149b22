"""After an operator's mistake the documented restore brings the old content back in time. Refuses to judge a mistake nobody restored.

A mistake is an acknowledged row of lane `operator`: a delete, by digest or by tag, or a PUT that moves a tag to another digest. What
counts as restored is what reads show, not what the rows of lane `restore` say they did. A tag is judged until somebody else writes or
deletes it again, and only where one value is certain to have been there before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chaoskit.checks.base import MANIFEST_READS, NEVER, Check, absent, capped, clean, conclude, scoped
from chaoskit.checks.lifetimes import values_of
from chaoskit.checks.words import doing, ended, indices, named, seconds
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import OPEN, History, Ints, Outcome
from chaoskit.model.units import Duration, nanoseconds
from chaoskit.model.verdict import CheckResult, Finding

OPERATOR = "operator"
RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Loss:
    """What a mistake took away: a digest, and under which tag (code 0: by its digest). `until_ns` is when the next change was called."""

    mistake: int
    tag: int
    digest: int
    until_ns: int


class Recoverability(Check):
    """What an operator deleted or overwrote is readable again in every zone, by digest and by tag, `within` of the mistake."""

    check: Literal["recoverability"] = "recoverability"
    within: Duration

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or what was not restored, restored late, or restored as something else."""
        view, within_ns = _view_of(evidence.history), nanoseconds(self.within)
        lost = losses_of(view)
        losses = tuple(loss for loss, is_certain in lost if is_certain)
        violations: list[Finding] = []
        doubts = [_uncertain(view, loss) for loss, is_certain in lost if not is_certain]
        for loss in losses:
            if _restoring(view, loss.mistake) < 0:
                doubts.append(_untried(view, loss))
                continue
            for zone in evidence.topology.regions.get(view.history.name(int(view.history.region[loss.mistake])), ()):
                wrong, is_seen = judge_zone(view, loss, zone, within_ns)
                if wrong is not None:
                    violations.append(wrong)
                elif not is_seen:
                    doubts.append(_unseen(view, loss, zone))
        mistakes = len({loss.mistake for loss, _ in lost})
        if not mistakes:
            doubts.append(Finding("no operator deleted or overwrote what was there, so nothing had to be restored"))
        numbers = {"mistakes": mistakes, "lost": len(losses), "not_back": len(violations)}
        summary = (
            f"{mistakes} mistakes of an operator took away {len(losses)} digests and tags: "
            f"{len(violations)} times one was not back in a zone after {seconds(within_ns)}"
        )
        return conclude(
            self.check,
            summary,
            violations=capped(np.arange(len(violations)), lambda at: violations[at], what="not back"),
            doubts=capped(np.arange(len(doubts)), lambda at: doubts[at], what="in doubt"),
            numbers=numbers,
        )


@dataclass(frozen=True, slots=True)
class _View:
    """The history and what is asked of it again and again: keys, when each row may have had its effect at the latest, rows by kind.

    `value` is the digest a read returned (0: absent); `puts` and `deletes` are those of manifests that may have happened.
    """

    history: History
    tag: Ints
    content: Ints
    value: Ints
    end: Ints
    puts: Ints
    deletes: Ints
    reads: Ints


def _view_of(history: History) -> _View:
    place = scoped(history, np.zeros(len(history), np.int64))
    value = np.where(absent(history), 0, values_of(history))
    happened = history.outcome != Outcome.FAILED
    answered = absent(history) | (clean(history) & (value != 0))
    return _View(
        history=history,
        tag=place + np.where(history.reference == history.digest, 0, history.reference),
        content=place + history.digest,
        value=value,
        end=np.where(history.outcome == Outcome.UNKNOWN, OPEN, history.returned_ns),
        puts=np.flatnonzero(history.is_action("manifest-put") & happened & (history.digest != 0)),
        deletes=np.flatnonzero(history.is_action("manifest-delete") & happened),
        reads=np.flatnonzero(history.is_action(*MANIFEST_READS) & answered),
    )


def losses_of(view: _View) -> list[tuple[Loss, bool]]:
    """What each mistake took away, by order of call, and whether it is certain that it was there."""
    history = view.history
    rows = np.concatenate([view.puts, view.deletes])
    rows = rows[((history.lane == history.code(OPERATOR)) & clean(history))[rows]]
    found: list[tuple[Loss, bool]] = []
    for mistake in rows[np.lexsort((rows, history.called_ns[rows]))].tolist():
        found += _by_digest(view, mistake) if history.digest[mistake] and mistake in view.deletes else _by_tag(view, mistake)
    return found


def _by_tag(view: _View, mistake: int) -> Iterator[tuple[Loss, bool]]:
    """What a delete by tag, or a PUT of another digest, took from the tag; the digest itself should be there still."""
    tag = int(view.history.reference[mistake])
    new = int(view.history.digest[mistake]) if mistake in view.puts else 0
    held = _held(view, mistake, int(view.tag[mistake])) if tag and tag != new else {0}
    for digest in sorted(held - {0, new}):
        yield _loss(view, mistake, tag, digest), len(held) == 1
        yield _loss(view, mistake, 0, digest), len(held) == 1


def _by_digest(view: _View, mistake: int) -> Iterator[tuple[Loss, bool]]:
    """The digest that a delete took away, and the tags that pointed at it."""
    history, digest = view.history, int(view.history.digest[mistake])
    same = view.puts[view.content[view.puts] == view.content[mistake]]
    same = same[history.called_ns[same] <= history.returned_ns[mistake]]
    if len(same):
        yield _loss(view, mistake, 0, digest), _is_there(view, mistake, same)
    for tag in np.unique(view.tag[same[view.tag[same] != view.content[mistake] - digest]]).tolist():
        held = _held(view, mistake, tag)
        if digest in held:
            yield _loss(view, mistake, tag - int(view.content[mistake]) + digest, digest), len(held) == 1


def _is_there(view: _View, mistake: int, puts: Ints) -> bool:
    """Whether one of these PUTs of a digest was acknowledged before the mistake, and after every other delete of the digest."""
    history = view.history
    before = puts[(clean(history) & (history.returned_ns < history.called_ns[mistake]))[puts]]
    deletes = view.deletes[(view.content[view.deletes] == view.content[mistake]) & (view.deletes != mistake)]
    deletes = deletes[history.called_ns[deletes] <= history.returned_ns[mistake]]
    return bool(history.called_ns[before].max(initial=NEVER) > view.end[deletes].max(initial=NEVER))


def _held(view: _View, mistake: int, tag: int) -> set[int]:
    """The digests that the tag (a key) may have pointed at when the mistake happened; 0 where it may have been absent."""
    history = view.history
    begin, end = history.called_ns[mistake], history.returned_ns[mistake]
    puts = view.puts[(view.tag[view.puts] == tag) & (view.puts != mistake) & (history.called_ns[view.puts] <= end)]
    deletes = view.deletes[(view.deletes != mistake) & (history.called_ns[view.deletes] <= end)]
    before = clean(history) & (history.returned_ns < begin)
    newest = history.called_ns[puts[before[puts]]].max(initial=NEVER)
    held: set[int] = set()
    is_certain = False
    for put in puts[view.end[puts] >= newest].tolist():
        by_name = (view.tag[deletes] == tag) & (history.digest[deletes] == 0)
        over = deletes[by_name | ((view.content[deletes] == view.content[put]) & (history.digest[deletes] != 0))]
        if (before[over] & (history.called_ns[over] > view.end[put])).any():
            held.add(0)
            continue
        held.add(int(history.digest[put]))
        is_certain |= bool(before[put]) and not (view.end[over] >= history.called_ns[put]).any()
    return held if is_certain else held | {0}


def _loss(view: _View, mistake: int, tag: int, digest: int) -> Loss:
    """With the first call, after the mistake, of a change to the same by anybody but a restore; of a delete by anybody."""
    history, place = view.history, int(view.content[mistake] - view.history.digest[mistake])
    deletes = view.deletes[(view.content[view.deletes] == place + digest) & (history.digest[view.deletes] != 0)]
    rows = [deletes]
    if tag:
        by_name = (view.tag[view.deletes] == place + tag) & (history.digest[view.deletes] == 0)
        others = (view.tag[view.puts] == place + tag) & (history.lane[view.puts] != history.code(RESTORE))
        rows += [view.deletes[by_name], view.puts[others]]
    called = history.called_ns[np.concatenate(rows)]
    return Loss(mistake, tag, digest, int(called[called > history.returned_ns[mistake]].min(initial=OPEN)))


def judge_zone(view: _View, loss: Loss, zone: str, within_ns: int) -> tuple[Finding | None, bool]:
    """What a zone's reads show once the time is over: a finding where the old digest was not back; whether there was a read at all."""
    history, place = view.history, int(view.content[loss.mistake] - view.history.digest[loss.mistake])
    asked = history.digest[view.reads] == (0 if loss.tag else loss.digest)
    key = view.tag if loss.tag else view.content
    reads = view.reads[asked & (key[view.reads] == place + (loss.tag or loss.digest)) & (history.zone[view.reads] == history.code(zone))]
    late = (history.called_ns[reads] - within_ns > history.returned_ns[loss.mistake]) & (history.returned_ns[reads] < loss.until_ns)
    reads = reads[late]
    reads = reads[np.lexsort((reads, history.called_ns[reads]))]
    bad, value = view.value[reads] != loss.digest, view.value[reads]
    if not bad.any():
        return None, len(reads) > 0
    other = reads[bad & (value != 0)]
    first = int(other[0] if len(other) else reads[bad][0])
    back = reads[~bad & (history.called_ns[reads] > history.called_ns[first])]
    return _not_back(view, loss, first, int(back[0]) if len(back) else -1), True


def _restoring(view: _View, mistake: int) -> int:
    """The first row that restores anything of this repository, or of no named one, in this region after the mistake; -1 if none does."""
    history = view.history
    rows = (history.lane == history.code(RESTORE)) & (history.region == history.region[mistake])
    rows &= (history.repository == history.repository[mistake]) | (history.repository == 0)
    found = np.flatnonzero(rows & (history.called_ns >= history.called_ns[mistake]))
    return int(found[0]) if len(found) else -1


def _put_of(view: _View, loss: Loss) -> int:
    """A write of what was lost, the last one acknowledged before the mistake if there is one."""
    history, place = view.history, int(view.content[loss.mistake] - view.history.digest[loss.mistake])
    puts = view.puts[history.called_ns[view.puts] <= history.returned_ns[loss.mistake]]
    puts = puts[view.content[puts] == place + loss.digest]
    tag = place + loss.tag if loss.tag else int(view.tag[loss.mistake])
    puts = puts if tag == place else puts[view.tag[puts] == tag]
    before = puts[(clean(history) & (history.returned_ns < history.called_ns[loss.mistake]))[puts]]
    return int(before[np.argmax(history.called_ns[before])] if len(before) else puts[0])


def _what(view: _View, loss: Loss) -> str:
    digest = named(view.history, loss.digest)
    return f"tag {view.history.name(loss.tag)} pointing at {digest}" if loss.tag else f"manifest {digest}"


def _took(view: _View, loss: Loss) -> str:
    return f"{doing(view.history, loss.mistake)}, an operator's mistake, took away {_what(view, loss)} {ended(view.history, loss.mistake)}"


def _not_back(view: _View, loss: Loss, row: int, back: int) -> Finding:
    history = view.history
    after = seconds(int(history.called_ns[row] - history.returned_ns[loss.mistake]))
    value = int(view.value[row])
    if value:
        label, seen = "Wrong value", f"returned {named(history, value)}{_whose(view, loss, value)}"
    elif back >= 0:
        label, seen = "Late", f"found nothing, and only {doing(history, back)} found it again"
    else:
        label, seen = "Not restored", "found nothing, and no later read there found it again"
    text = f"{label}: {_took(view, loss)}; {after} later {doing(history, row)} {seen}."
    return Finding(text, indices(history, _put_of(view, loss), loss.mistake, _restoring(view, loss.mistake), back, row))


def _whose(view: _View, loss: Loss, value: int) -> str:
    """Whose value a wrong one is: the mistake's own, or one that the tag had pointed at before."""
    history = view.history
    if value == history.digest[loss.mistake]:
        return ", what the mistake had put there"
    place = view.content[loss.mistake] - history.digest[loss.mistake]
    puts = view.puts[(view.tag[view.puts] == place + loss.tag) & (loss.tag > 0)]
    puts = puts[(history.digest[puts] == value) & (history.returned_ns[puts] < history.called_ns[loss.mistake])]
    return f", what it had pointed at before, by {doing(history, int(puts[0]))}" if len(puts) else ""


def _uncertain(view: _View, loss: Loss) -> Finding:
    text = (
        f"Uncertain: {doing(view.history, loss.mistake)} may have taken away {_what(view, loss)}, but it is not certain that it was there"
    )
    return Finding(text, indices(view.history, _put_of(view, loss), loss.mistake))


def _untried(view: _View, loss: Loss) -> Finding:
    return Finding(f"No restore: {_took(view, loss)}; none was tried by the end", indices(view.history, _put_of(view, loss), loss.mistake))


def _unseen(view: _View, loss: Loss, zone: str) -> Finding:
    text = f"Not read: {_took(view, loss)}; no read at {zone} showed whether it was back in time"
    return Finding(text, indices(view.history, _put_of(view, loss), loss.mistake))
