"""Answers of *not here* that the history does not admit: a storage error dressed as a 404 is worse than an error."""

import numpy as np

from chaoskit.checks.base import absent, clean, earliest, scoped
from chaoskit.checks.objects import objects_of
from chaoskit.checks.registers import tag_absences
from chaoskit.model.history import History, Mask, Outcome


def false_absences(history: History) -> Mask:
    """Reads, and whole pulls, that answered absent for something that was acknowledged or seen before they began, and not deleted."""
    wrong = objects_of(history).gone(history)
    wrong[tag_absences(history)] = True
    return wrong | _pulls(history)


def _pulls(history: History) -> Mask:
    tag = scoped(history, history.reference)
    writes = history.is_action("manifest-put") & clean(history) & (history.reference != 0)
    written = earliest(tag[writes], history.returned_ns[writes]).of(tag)
    deletes = history.is_action("manifest-delete") & (history.outcome != Outcome.FAILED)
    cleared = np.isin(history.repository, history.repository[deletes])
    pulls: Mask = history.is_action("pull") & absent(history) & (history.reference != 0) & ~cleared & (written < history.called_ns)
    return pulls
