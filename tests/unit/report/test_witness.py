import pytest

from chaoskit.checks.durability import Durability
from chaoskit.checks.tags import Tags
from chaoskit.model.verdict import CheckResult, Finding, Verdict
from chaoskit.report.witness import FINDINGS, render
from tests.unit.checks.histories import FAILED, UNKNOWN, Story, digest
from tests.unit.report.samples import run_results

A, B = digest("a")[7:15], digest("b")[7:15]


def drawn(story: Story, *finding: int, text: str = "It was wrong.", width: int = 80) -> list[str]:
    """The lines of one finding that names these operations."""
    check = CheckResult("tags", Verdict.VIOLATED, "wrong", {}, (Finding(text, finding),))
    return render(run_results(check), story.evidence().history, width=width).splitlines()


def stale() -> Story:
    story = Story()
    story.put("t", "a", 1, 2)
    story.put("t", "b", 3, 4)
    story.get("t", "a", 5, 6, zone=2)
    return story


def test_a_stale_read_is_drawn_with_its_sentences() -> None:
    story = stale()
    result = Tags(convergence=False).judge(story.evidence())

    text = render(run_results(result), story.evidence().history)

    assert text == (
        "witness of tags\n"
        "\n"
        f"  manifest-put 0  us-south-1  {A}  ok  ├──────┤\n"
        f"  manifest-put 1  us-south-1  {B}  ok                ├──────┤\n"
        f"  manifest-get 2  us-south-2  {A}  ok                              ├──────┤\n"
        "                                            1.000  2.000  3.000  4.000   6.000 s\n"
        "  Stale read: manifest-get of r:t at us-south-2 at 5.000 s (operation 2)\n"
        f"  returned {digest('a')[:19]}…, but the newer {digest('b')[:19]}… had been\n"
        "  acknowledged at 4.000 s, 1.000 s before. At most 0s is declared."
    )


def test_at_most_four_operations_of_few_findings_are_drawn() -> None:
    story = Story()
    for at in range(1, 7):
        story.get("t", "a", at)
    findings = tuple(Finding(f"Wrong {number}.", (0, 1, 2, 3, 4, 5)) for number in range(FINDINGS + 2))
    check = CheckResult("tags", Verdict.VIOLATED, "wrong", {}, findings)

    lines = render(run_results(check), story.evidence().history).splitlines()

    assert lines[0] == "witness of tags: 3 of 5 findings"
    assert [line.split()[1] for line in lines if "manifest-get" in line] == ["0", "1", "2", "3"] * FINDINGS
    assert [line.strip() for line in lines if "Wrong" in line] == ["Wrong 0.", "Wrong 1.", "Wrong 2."]


@pytest.mark.parametrize("until", [2, None])
def test_the_end_of_a_write_of_unknown_outcome_is_drawn_open_to_the_edge(until: float | None) -> None:
    story = Story()
    story.row("manifest-put", 1, until, reference="t", digest=digest("a"), outcome=UNKNOWN, status=0)
    story.get("t", "a", 5, 6)

    write, read, *_ = drawn(story, 0, 1)[2:]

    assert f"{A}  unknown  ├" in write
    assert write.endswith("─…")
    assert read.endswith("┤")
    assert len(read) < len(write) == 80


def test_absent_and_failed_are_told_apart() -> None:
    story = Story()
    story.get("t", "", 1)
    story.failed(story.get("t", "a", 2))
    story.change(1, outcome=FAILED)

    first, second, *_ = drawn(story, 0, 1)[2:]

    assert first.split()[3:5] == ["-", "absent"]
    assert second.split()[3:5] == ["-", "failed"]


def test_operations_that_touch_share_a_column_and_those_apart_by_a_nanosecond_do_not() -> None:
    story = Story()
    story.put("t", "a", 1, 2)
    story.put("t", "b", 2, 100)
    story.get("t", "b", 100, 300)
    story.change(2, called_ns=100_000_000_001)

    first, second, third, *_ = drawn(story, 0, 1, 2)[2:]

    assert first.index("┤") == second.index("├")
    assert second.index("┤") + 2 <= third.index("├")


def test_an_operation_of_no_length_is_a_stroke() -> None:
    story = stale()
    story.get("t", "a", 7, 7)

    assert drawn(story, 0, 3)[3].endswith("│")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    story = stale()
    story.put("t", "c", 3.5, outcome=UNKNOWN)
    lines = drawn(story, 0, 1, 2, 3, text="Far too long for one line of text. " * 9, width=width)

    needed = len("  manifest-put 0  us-south-1  01234567  unknown  ") + 24
    assert max(map(len, lines)) <= max(width, needed)
    assert width < needed or max(map(len, lines)) == width


def test_operations_are_drawn_in_the_order_of_their_calls() -> None:
    assert [line.split()[1] for line in drawn(stale(), 2, 1, 0)[2:5]] == ["0", "1", "2"]


def test_times_that_would_overlap_are_left_out() -> None:
    story = Story()
    for number in range(4):
        story.get("t", "a", 1000.001 + number / 1000, 1000.002 + number / 1000)

    axis = drawn(story, 0, 1, 2, 3)[6]

    assert axis.split()[0] == "1000.001"
    assert axis.split()[-2:] == ["1000.005", "s"]
    assert all(len(time) == 8 for time in axis.split()[:-1])


def test_a_single_operation_has_one_time() -> None:
    story = Story()
    story.get("t", "a", 1, 1)

    assert drawn(story, 0)[3].split() == ["1.000", "s"]


def test_a_finding_without_operations_is_told_in_words() -> None:
    assert drawn(stale())[2:] == ["  It was wrong."]


def test_findings_with_operations_come_before_those_without() -> None:
    check = CheckResult("tags", Verdict.VIOLATED, "wrong", {}, (Finding("Nothing named."), Finding("Named.", (0,))))

    text = render(run_results(check), stale().evidence().history)

    assert text.endswith("Named.")
    assert "Nothing named." not in text


def test_only_violated_checks_are_drawn() -> None:
    story = Story()
    story.put("t", "a", 1)
    story.sweep("t", "a")
    story.get_manifest("a", 45, zone=2, found=False)
    evidence = story.evidence()

    text = render(run_results(Tags().judge(evidence), Durability().judge(evidence)), evidence.history)

    assert text.startswith("witness of durability\n")
    assert "witness of tags" not in text


def test_nothing_violated_draws_nothing() -> None:
    assert render(run_results(), stale().evidence().history) == "no check is violated: there is nothing to draw"
