"""A list names what is there: every tag whose write was acknowledged before it began, none that nobody wrote, each once, in order.

Refuses to look into a walk with a page that failed. A 404 is a list of nothing. The OCI distribution spec asks for "lexical order (i.e.
case-insensitive alphanumeric order)", distribution sorts by bytes, and an S3 walk by `tag/`: so either order will do, if it is the same
throughout, and where `.`, `_` or `-` decides, any (the spec does not say where they stand).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Literal

import numpy as np

from chaoskit.checks.base import Check, absent, capped, clean, conclude, distinct, earliest, scoped
from chaoskit.checks.lifetimes import Spans, greatest, owners_of_entries, spans, tag_deletes, tag_writes
from chaoskit.checks.objects import object_key
from chaoskit.checks.words import doing, ended, indices
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import Codes, History, Ints, Mask, Outcome
from chaoskit.model.units import Duration, nanoseconds
from chaoskit.model.verdict import CheckResult, Finding

_SHOWN = 3


class Lists(Check):
    """Every list of tags is whole, ordered, without duplicates and without inventions; a tag must be in lists `within` after its write."""

    check: Literal["lists"] = "lists"
    within: Duration = timedelta(0)

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which lists left out, repeated, misplaced or invented a tag."""
        history = evidence.history
        lists = np.flatnonzero(history.is_action("tags-list") & (clean(history) | absent(history)))
        within_ns = nanoseconds(self.within)
        required, left = left_out(history, lists, within_ns)
        skips, inventions = _by_list(*left), _by_list(*nobodys(history))
        twice, unordered = misplaced(history)
        violations = capped(_rows(skips), lambda row: _skips(history, row, skips[row], within_ns), what="lists that skip tags")
        violations += capped(_rows(inventions), lambda row: _invents(history, row, inventions[row]), what="lists with inventions")
        violations += capped(twice, lambda row: _repeats(history, row), what="lists with duplicates")
        violations += capped(unordered, lambda row: _disorders(history, row), what="lists out of order")
        doubts = [] if required else [Finding("no list began after a tag was acknowledged, so none had to be in a list")]
        numbers = {
            "lists": len(lists),
            "required": required,
            "skips": len(skips),
            "skipped_tags": len(left[0]),
            "inventions": len(inventions),
            "duplicates": len(twice),
            "out_of_order": len(unordered),
        }
        summary = (
            f"{len(lists)} lists, {required} tags due in them: {len(skips)} lists left out {len(left[0])} tags, {len(twice)} named one "
            f"twice, {len(unordered)} were out of order, {len(inventions)} named a tag nobody wrote"
        )
        return conclude(self.check, summary, violations=violations, doubts=doubts, numbers=numbers)


def left_out(history: History, lists: Ints, within_ns: int) -> tuple[int, tuple[Ints, Codes]]:
    """How many tags were due in these lists, and those left out: rows of lists and tags, a pair each.

    A tag is due where a write of it was acknowledged more than `within_ns` before the list began, and every delete that may have emptied
    it had either ended before that write began or was called after the list had ended.
    """
    due = _due_of(history)
    pairs, sure = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_))], 0
    named = np.zeros(len(history.names), np.bool_)
    place = scoped(history, np.zeros(len(history), np.int64))
    for row in lists.tolist():
        entries = history.entries[history.entries_at[row] : history.entries_at[row + 1]]
        first, last = np.searchsorted(due.tags, [place[row], place[row] + len(history.names)])
        at = first + np.flatnonzero(due.acknowledged[first:last] < history.called_ns[row] - within_ns)
        is_sure = due.may_be_deleted[at] > history.returned_ns[row]
        named[entries] = True
        is_missing = ~named[due.tags[at] - place[row]]
        named[entries] = False
        sure += int(is_sure.sum())
        kept = np.flatnonzero(np.where(is_sure, is_missing, due.is_rewritten[at]))
        pairs.append((np.full(len(kept), row), at[kept], is_missing[kept]))
    row, at, is_missing = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    is_sure = due.may_be_deleted[at] > history.returned_ns[row]
    newest = greatest(due.writes, due.tags[at], history.called_ns[row] - within_ns - 1)
    is_due = is_sure | (greatest(due.deletes, due.tags[at], history.returned_ns[row]) < newest)
    wrong = is_due & is_missing
    return sure + int((is_due & ~is_sure).sum()), (row[wrong], due.tags[at[wrong]] - place[row[wrong]])


@dataclass(frozen=True, slots=True)
class _Due:
    """Sorted tags (keys) with an acknowledged write, and of each: the first acknowledgement, the first call of a delete that may empty it,
    whether it was written again after such a delete. `writes` are turned: from their end, with their start; `deletes` are by tag."""

    tags: Ints
    acknowledged: Ints
    may_be_deleted: Ints
    is_rewritten: Mask
    writes: Spans
    deletes: Spans


def _due_of(history: History) -> _Due:
    key, writes = scoped(history, history.reference), tag_writes(history)
    made = spans(history, key, writes & clean(history))
    first = made.first_ends()
    of_tag = spans(history, key, tag_deletes(history))
    of_digest = _by_tag_held(history, key, np.flatnonzero(writes))
    pairs = ((of_tag.key, of_digest.key), (of_tag.start, of_digest.start), (of_tag.end, of_digest.end))
    deletes = Spans(*(np.concatenate(pair) for pair in pairs))
    last_begun = -earliest(made.key, -made.start).of(first.keys)
    is_rewritten = last_begun > deletes.first_ends().of(first.keys)
    turned = Spans(made.key, made.end, made.start)
    return _Due(first.keys, first.times, earliest(deletes.key, deletes.start).of(first.keys), is_rewritten, turned, deletes)


def _by_tag_held(history: History, key: Ints, writes: Ints) -> Spans:
    """Deletes by digest that may have happened, once for each write that may have put the digest under a tag, with that tag's key."""
    digest = object_key(history, history.digest, False)
    rows = history.is_action("manifest-delete") & (history.outcome != Outcome.FAILED) & (history.digest != 0)
    deletes = spans(history, digest, rows)
    writes = writes[np.argsort(digest[writes], kind="stable")]
    first, last = (np.searchsorted(digest[writes], deletes.key, side=side) for side in ("left", "right"))
    count = last - first
    at = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
    return Spans(key[writes[at]], np.repeat(deletes.start, count), np.repeat(deletes.end, count))


def misplaced(history: History) -> tuple[Ints, Ints]:
    """Rows of lists that name a tag twice, and of lists in no order that the spec allows."""
    lists, owner = history.is_action("tags-list") & clean(history), owners_of_entries(history)
    at = np.flatnonzero(lists[owner])
    used, place = np.unique(history.entries[at], return_inverse=True)
    rank = np.empty(len(used), np.int64)
    rank[sorted(range(len(used)), key=lambda number: history.name(int(used[number])))] = np.arange(len(used))
    rises = (owner[at][1:] != owner[at][:-1]) | (rank[place][1:] > rank[place][:-1])
    odd = distinct(owner[at][1:][~rises])
    twice = [row for row in odd.tolist() if len(set(_names(history, row))) < len(_names(history, row))]
    unordered = [row for row in odd.tolist() if _disorder(_names(history, row)) is not None]
    return np.array(twice, np.int64), np.array(unordered, np.int64)


def nobodys(history: History) -> tuple[Ints, Codes]:
    """Rows of lists and the tags in them that no write which may have happened can have put there by the time they were answered."""
    owner = owners_of_entries(history)
    key, writes = scoped(history, history.reference), tag_writes(history)
    entry = scoped(history, np.zeros(len(history), np.int64))[owner] + history.entries
    lists = history.is_action("tags-list") & clean(history)
    at = np.flatnonzero(lists[owner] & (earliest(key[writes], history.called_ns[writes]).of(entry) > history.returned_ns[owner]))
    return owner[at], history.entries[at]


def _names(history: History, row: int) -> list[str]:
    return [history.name(int(code)) for code in history.entries[history.entries_at[row] : history.entries_at[row + 1]]]


def _disorder(names: list[str]) -> tuple[str, str] | None:
    """The first two neighbours in the wrong order, by bytes, unless all are in order by bytes or without regard to case."""
    by_bytes = next((pair for pair in pairwise(names) if not _follows(*pair)), None)
    by_letters = next((pair for pair in pairwise(names) if not _follows(pair[0].lower(), pair[1].lower())), None)
    return by_bytes if by_letters else None


def _follows(first: str, second: str) -> bool:
    """Whether the second may come after the first: by the first character that differs, if it is a letter or a digit in both."""
    for left, right in zip(first, second, strict=False):
        if left != right:
            return left < right or not (left.isalnum() and right.isalnum())
    return len(first) <= len(second) or not first[len(second)].isalnum()


def _by_list(rows: Ints, tags: Codes) -> dict[int, list[int]]:
    """The tags of each row, in their order."""
    found: dict[int, list[int]] = {}
    for row, tag in zip(rows.tolist(), tags.tolist(), strict=True):
        found.setdefault(row, []).append(tag)
    return found


def _rows(found: Mapping[int, list[int]]) -> Ints:
    return np.array(list(found), np.int64)


def _others(history: History, tags: list[int], what: str) -> str:
    """How many more tags there are of this kind, and the first of them."""
    more = ", ".join(history.name(tag) for tag in tags[1 : 1 + _SHOWN])
    return f" {len(tags) - 1} more {what}: {more}{', …' if len(tags) > 1 + _SHOWN else ''}." if len(tags) > 1 else ""


def _puts(history: History, row: int, tag: int) -> Ints:
    """PUTs of this tag of the list's repository, whatever became of them."""
    same = (history.repository == history.repository[row]) & (history.region == history.region[row])
    return np.flatnonzero(history.is_action("manifest-put") & same & (history.reference == tag))


def _skips(history: History, row: int, tags: list[int], within_ns: int) -> Finding:
    names, tag = _names(history, row), history.name(tags[0])
    puts = _puts(history, row, tags[0])
    puts = puts[(clean(history) & (history.returned_ns < history.called_ns[row] - within_ns))[puts]]
    put = int(puts[np.argmax(history.called_ns[puts])])
    before, after = max([name for name in names if name < tag], default=""), min([name for name in names if name > tag], default="")
    place = " and ".join([f"after {before}"] * bool(before) + [f"before {after}"] * bool(after))
    detail = f" ({history.details[row]})" if history.details[row] else ""
    due = f", due {place}," if place else ""
    text = (
        f"Skipped: {doing(history, row)} names {len(names)} tags, but not {tag}{due} though {doing(history, put)} was acknowledged "
        f"{ended(history, put)} and nothing deleted it.{_others(history, tags, 'are left out')}{detail}"
    )
    return Finding(text, indices(history, put, row))


def _invents(history: History, row: int, tags: list[int]) -> Finding:
    puts = _puts(history, row, tags[0])
    put = int(puts[np.argmin(history.called_ns[puts])]) if len(puts) else -1
    why = f"though {doing(history, put)}, the first write of it, failed or began later" if put >= 0 else "which nobody ever wrote"
    more = _others(history, tags, "are not anybody's")
    return Finding(f"Invented: {doing(history, row)} names tag {history.name(tags[0])}, {why}.{more}", indices(history, put, row))


def _repeats(history: History, row: int) -> Finding:
    names = _names(history, row)
    tag = next(name for number, name in enumerate(names) if name in names[:number])
    places = ", ".join(str(number + 1) for number, name in enumerate(names) if name == tag)
    text = f"Twice: {doing(history, row)} names tag {tag} in places {places} of {len(names)}; each tag should stand there once."
    return Finding(text, indices(history, row))


def _disorders(history: History, row: int) -> Finding:
    first, second = _disorder(_names(history, row)) or ("", "")
    text = f"Out of order: {doing(history, row)} names {second} right after {first}; tags should be in lexical order."
    return Finding(text, indices(history, row))
