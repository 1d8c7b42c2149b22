"""Answers of *not here* that the history does not admit: a storage error dressed as a 404 is worse than an error."""

import numpy as np

from chaoskit.checks.base import absent, clean, derived, earliest, scoped
from chaoskit.checks.objects import objects_of
from chaoskit.checks.registers import tag_absences
from chaoskit.model.history import History, Ints, Mask, Outcome


@derived
def false_absences(history: History) -> Mask:
    """Reads, and whole pulls, that answered absent for something that was acknowledged or seen before they began, and not deleted."""
    wrong = objects_of(history).gone(history)
    wrong[tag_absences(history)] = True
    return wrong | _pulls(history)


def _pulls(history: History) -> Mask:
    tag = scoped(history, history.reference)
    writes = history.is_action("manifest-put") & clean(history) & (history.reference != 0)
    written = earliest(tag[writes], history.returned_ns[writes]).of(tag)
    admissible = history.returned_ns >= _cleared(history, tag)
    pulls: Mask = history.is_action("pull") & absent(history) & (history.reference != 0) & ~admissible & (written < history.called_ns)
    return pulls


def _cleared(history: History, tag: Ints) -> Ints:
    """Per row: the earliest call of a delete that may have made its tag absent, by tag or by the digest of a value it may have held."""
    deletes = history.is_action("manifest-delete") & (history.outcome != Outcome.FAILED)
    of_tag, of_digest = deletes & (history.digest == 0), deletes & (history.digest != 0)
    puts = history.is_action("manifest-put") & (history.reference != 0)
    content = scoped(history, history.digest)
    gone = earliest(content[of_digest], history.called_ns[of_digest]).of(content[puts])
    return earliest(np.concatenate([tag[of_tag], tag[puts]]), np.concatenate([history.called_ns[of_tag], gone])).of(tag)
