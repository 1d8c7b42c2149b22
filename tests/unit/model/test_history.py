import pytest

from chaoskit.model.history import OPEN, Columns, History, Operation, Outcome, columns


def row(index: int, **fields: object) -> Operation:
    values: dict[str, object] = {"action": "manifest-put", "lane": "pinned", "phase": "steady", "region": "us-south", "zone": "us-south-1"}
    values |= {"intended_ns": 1, "called_ns": 2, **fields}
    return Operation(index=index, **values)  # type: ignore[arg-type]


def test_last_row_of_an_index_counts() -> None:
    history = columns([row(3), row(1), row(3, returned_ns=9, outcome=Outcome.OK)])

    assert history.index.tolist() == [1, 3]
    assert history.returned_ns.tolist() == [OPEN, 9]
    assert history.outcome.tolist() == [Outcome.UNKNOWN, Outcome.OK]


def test_digest_has_one_code_wherever_it_stands() -> None:
    history = columns([row(0, digest="d", children=("c", "d")), row(1, got="d")])

    assert history.digest[0] == history.got[1] == history.children[1] == history.code("d")
    assert history.children_at.tolist() == [0, 2, 2]
    assert history.name(int(history.children[0])) == "c"


def test_unknown_string_matches_no_row() -> None:
    history = columns([row(0)])

    assert history.code("nobody") == -1
    assert not history.is_action("nobody").any()


def test_no_rows_are_an_empty_history() -> None:
    assert len(columns([])) == 0


def spoken(history: History) -> list[tuple[object, ...]]:
    """What a history says, row by row, without its codes (they depend on the order of reading)."""
    names = history.names
    return [
        (
            int(history.index[row]),
            int(history.returned_ns[row]),
            history.name(int(history.digest[row])),
            [names[code] for code in history.children[history.children_at[row] : history.children_at[row + 1]]],
            [names[code] for code in history.entries[history.entries_at[row] : history.entries_at[row + 1]]],
            history.details[row],
        )
        for row in range(len(history))
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_blocks_of_any_size_make_the_same_history(size: int) -> None:
    rows = [
        row(2, digest="d", children=("a", "b")),
        row(0, digest="e"),
        row(2, digest="d", children=("c",), returned_ns=7, outcome=Outcome.OK),
        row(1, entries=("v1", "v2"), detail="slow"),
        row(0, digest="e", returned_ns=9, detail="late", children=("a", "c", "d")),
        row(5, digest="a"),
    ]
    made = Columns()
    for first in range(0, len(rows), size):
        made.add(rows[first : first + size])

    assert spoken(made.history()) == [
        (0, 9, "e", ["a", "c", "d"], [], "late"),
        (1, OPEN, "", [], ["v1", "v2"], "slow"),
        (2, 7, "d", ["c"], [], ""),
        (5, OPEN, "a", [], [], ""),
    ]


def test_every_column_is_of_64_bits_and_contiguous() -> None:
    history = columns([row(0), row(1)])

    for name in ("index", "returned_ns", "outcome", "action", "children_at", "children"):
        column = getattr(history, name)
        assert (column.dtype.name, column.flags.c_contiguous) == ("int64", True), name
