from chaoskit.model.history import OPEN, Operation, Outcome, columns


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
