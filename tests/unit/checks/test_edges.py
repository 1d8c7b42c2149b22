"""Facts that no other test states: each kills a mutant that once survived."""

from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from chaoskit.checks.absence import false_absences
from chaoskit.checks.base import is_session
from chaoskit.checks.closure import Closure
from chaoskit.checks.coverage import Coverage
from chaoskit.checks.durability import Durability
from chaoskit.checks.effect import Effect
from chaoskit.checks.host import Host
from chaoskit.checks.integrity import Integrity
from chaoskit.checks.refusal import Refusal
from chaoskit.checks.words import target
from chaoskit.kinds import CHECKS
from chaoskit.model.evidence import HostSample
from chaoskit.model.history import columns
from chaoskit.model.verdict import Verdict

from .histories import FAILED, UNKNOWN, Story, digest, healthy, struck, texts


def test_pull_of_a_tag_whose_only_write_failed_may_find_nothing() -> None:
    story = Story()
    story.put("t", "image", 1, outcome=FAILED)
    story.put("u", "other", 1)
    story.session("pull", 5, status=404, observed="absent")

    assert not false_absences(columns(story.rows)).any()


def test_pull_of_a_tag_that_was_deleted_by_its_name_may_find_nothing() -> None:
    story = Story()
    story.put("t", "image", 1)
    story.row("manifest-delete", 2, 2.1, reference="t", observed="write-ok", status=202)
    story.session("pull", 5, status=404, observed="absent")

    assert not false_absences(columns(story.rows)).any()


def test_check_cannot_be_changed_once_made() -> None:
    with pytest.raises(ValidationError):
        Host().steal = 0.5  # type: ignore[misc]


def test_pull_of_a_tag_whose_write_nobody_saw_end_may_find_nothing() -> None:
    story = Story()
    story.put("t", "image", 1, outcome=UNKNOWN)
    story.session("pull", 5, status=404, observed="absent")

    assert not false_absences(columns(story.rows)).any()


def test_false_404_names_the_write_of_that_tag() -> None:
    story = Story()
    story.put("u", "other", 0.5)
    story.put("t", "failed", 0.7, outcome=FAILED)
    put = story.put("t", "image", 1)
    story.put("t", "refused", 15, outcome=FAILED)
    read = story.get("t", "", 16)

    result = Refusal().judge(story.evidence(struck(1)))

    assert result.findings[0].operations == (put, read)


def test_false_404_names_the_first_acknowledged_write() -> None:
    story = Story()
    put = story.put("t", "image", 1)
    story.put("t", "next", 2)
    story.put("t", "refused", 15, outcome=FAILED)
    read = story.get("t", "", 16)

    assert Refusal().judge(story.evidence(struck(1))).findings[0].operations == (put, read)


def test_object_absent_and_found_at_one_instant_is_lost_if_never_found_later() -> None:
    story = Story()
    story.put_blob("layer", 1)
    story.get_blob("layer", 5)
    story.get_blob("layer", 5, found=False)

    assert texts(Durability().judge(story.evidence())).startswith("Lost in")


def test_object_known_by_a_read_of_its_tag_only_names_that_read() -> None:
    story = Story()
    story.put("t", "image", 1, outcome=UNKNOWN)
    seen = story.get("t", "image", 3)
    read = story.get_manifest("image", 5, found=False)

    assert Durability().judge(story.evidence()).findings[0].operations == (seen, read)


def test_hole_names_the_manifest_of_its_own_repository() -> None:
    story = Story()
    story.get("t", "elsewhere", 1, repository="other", children=(digest("layer"),))
    story.get("t", "empty", 2)
    seen = story.get("t", "image", 3, children=(digest("layer"),))
    read = story.get_blob("layer", 4, found=False)

    assert Closure().judge(story.evidence()).findings[0].operations == (seen, read)


def test_hole_says_whether_a_blob_or_a_manifest_is_missing() -> None:
    story = Story()
    story.get("t", "image", 3, children=(digest("layer"),))
    story.get_blob("layer", 4, found=False)

    assert "its blob should be there" in texts(Closure().judge(story.evidence()))


def test_header_finding_names_the_content_of_an_acknowledgement() -> None:
    story = Story()
    story.get_blob("layer", 1)
    story.put("t", "image", 3, advertised=digest("other"))

    assert f"advertised {digest('other')[:19]}…, but the content is {digest('image')[:19]}…" in texts(Integrity().judge(story.evidence()))


def test_header_finding_names_the_content_of_a_body() -> None:
    story = Story()
    story.get("t", "image", 3, advertised=digest("other"))

    assert f"but the content is {digest('image')[:19]}…" in texts(Integrity().judge(story.evidence()))


def test_size_finding_says_both_sizes() -> None:
    story = Story()
    story.get_blob("layer", 3, advertised_bytes=-1)
    story.row("blob-head", 4, 4.1, digest=digest("layer"), advertised_bytes=120, size_bytes=0)

    text = texts(Integrity().judge(story.evidence()))

    assert "says 120 bytes, " in text
    assert "says 100 of the same content" in text


def test_empty_body_where_bytes_were_advertised_is_violated() -> None:
    story = Story()
    story.get_blob("layer", 3, size_bytes=0)

    assert "advertised 100 bytes and sent 0" in texts(Integrity().judge(story.evidence()))


def test_tag_that_no_zone_was_asked_for_in_the_end_is_inconclusive() -> None:
    story = healthy()
    story.put("only-by-digest", "image", 5)
    for zone in (1, 2, 3):
        story.get_manifest("image", 42, zone=zone)

    assert Coverage().judge(healthy().evidence()).verdict is Verdict.HELD
    assert Coverage().judge(story.evidence()).verdict is Verdict.INCONCLUSIVE


def test_traffic_that_began_at_the_very_heal_has_met_the_strike() -> None:
    strike = struck(2)
    healed = (strike.healed_ns or 0) / 1e9
    story = Story()
    story.get("t", "image", healed, zone=2)

    assert Effect().judge(story.evidence(strike)).numbers["traffic.0"] == 1


def test_traffic_outside_the_strike_has_not_met_it() -> None:
    story = Story()
    story.get("t", "image", 1, zone=2)
    story.get("t", "image", 30, zone=2)

    assert Effect().judge(story.evidence(struck(2))).numbers["traffic.0"] == 0


def test_strike_that_was_never_healed_has_met_nothing() -> None:
    story = Story()
    story.get("t", "image", 15, zone=2)

    assert Effect().judge(story.evidence(struck(2, healed_ns=None))).numbers["traffic.0"] == 0


@pytest.mark.parametrize("sample", [HostSample(0, 0.99, 0.0, 0.6, 100), HostSample(0, 0.97, 0.2, 0.9, 1)])
def test_machine_exactly_at_its_bounds_kept_up(sample: HostSample) -> None:
    assert Host().judge(healthy().evidence(host=(sample,))).verdict is Verdict.HELD


@pytest.mark.parametrize("name", CHECKS)
def test_check_has_the_one_name_that_an_experiment_may_write(name: str) -> None:
    assert get_args(CHECKS[name].model_fields["check"].annotation) == (name,)


def test_whole_sessions_are_pushes_pulls_deletes_and_lists() -> None:
    story = Story()
    whole = [story.session(action, 1) for action in ("push", "pull", "delete", "list")]
    story.put("t", "image", 1, parent=whole[0])
    story.session("pull", 2, parent=whole[1])

    assert np.flatnonzero(is_session(columns(story.rows))).tolist() == whole


def test_target_is_written_as_tag_or_as_digest() -> None:
    story = Story()
    story.put("t", "image", 1)
    story.put(digest("image"), "image", 2)
    story.get_blob("layer", 3)
    history = columns(story.rows)

    assert [target(history, row) for row in range(3)] == ["r:t", f"r@{digest('image')[:19]}…", f"r@{digest('layer')[:19]}…"]
