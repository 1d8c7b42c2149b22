import pytest

from chaoskit.errors import PlaneFailed
from chaoskit.faults.base import Severity, Shape, shape_changes
from chaoskit.faults.fold import Wanted, fold
from chaoskit.model.strike import ToxicOn
from chaoskit.plane.moves import Add, Calm, LinkState, Move, Remove, Switch, ToxicState, check_range, differences, moves

LINK = "client->lb.us-south-1"
SEVERITY = Severity(latency_ms=1000, jitter_ms=200, rate_kb_s=8)


def wanted(*shapes: Shape) -> Wanted:
    return fold([shape_changes(shape, LINK, SEVERITY) for shape in shapes])


def found(*shapes: Shape) -> dict[str, LinkState]:
    """The state a plane shows when these shapes are on."""
    on = wanted(*shapes)
    toxics = tuple(ToxicState(t.name, t.type, t.stream, t.attributes) for t in on.toxics.get(LINK, ()))
    return {LINK: LinkState(LINK not in on.down, toxics), "other": LinkState()}


@pytest.mark.parametrize("shape", list(Shape))
def test_state_as_wanted_needs_no_moves_and_shows_no_difference(shape: Shape) -> None:
    assert moves(found(shape), wanted(shape)) == {}
    assert differences(found(shape), wanted(shape)) == ()


@pytest.mark.parametrize(
    ("shape", "move"),
    [
        (Shape.REFUSED, Move((Switch(True),))),
        (Shape.RESET, Move((Remove("chaoskit-reset_peer-downstream", False), Remove("chaoskit-reset_peer-upstream", False)))),
        (Shape.BLACK_HOLE, Move((Remove("chaoskit-timeout-downstream", True), Remove("chaoskit-timeout-upstream", True)))),
        (Shape.STALL, Move((Remove("chaoskit-bandwidth-downstream", False), Remove("chaoskit-bandwidth-upstream", False)))),
        (Shape.TRICKLE, Move((Remove("chaoskit-bandwidth-downstream", False), Remove("chaoskit-bandwidth-upstream", False)))),
        (
            Shape.SLOW,
            Move(
                (Calm("chaoskit-latency-downstream"), Calm("chaoskit-latency-upstream")),
                800,
                (Remove("chaoskit-latency-downstream", False), Remove("chaoskit-latency-upstream", False)),
            ),
        ),
    ],
)
def test_each_shape_leaves_its_gentlest_way(shape: Shape, move: Move) -> None:
    assert moves(found(shape), wanted()) == {LINK: move}


def test_second_strike_adds_its_toxics_and_touches_no_other() -> None:
    both = wanted(Shape.SLOW, Shape.TRICKLE)
    added = tuple(Add(t) for t in both.toxics[LINK] if t.type == "bandwidth")
    assert moves(found(Shape.SLOW), both) == {LINK: Move(added)}


def test_toxic_with_other_attributes_is_replaced_and_told() -> None:
    state = {LINK: LinkState(True, (ToxicState("chaoskit-bandwidth-upstream", "bandwidth", "upstream", (("rate", 9),), 0.5),))}
    toxic = ToxicOn(LINK, "bandwidth", "upstream", (("rate", 8),))
    want = Wanted(toxics={LINK: (toxic,)})
    assert moves(state, want) == {LINK: Move((Remove("chaoskit-bandwidth-upstream", False), Add(toxic)))}
    assert differences(state, want) == (
        "proxy 'client->lb.us-south-1': wanted bandwidth upstream {'rate': 8}, found bandwidth upstream {'rate': 9} with toxicity 0.5",
    )


def test_proxy_goes_down_first_and_up_last() -> None:
    assert moves(found(Shape.STALL), wanted(Shape.REFUSED))[LINK].now[0] == Switch(False)
    assert moves(found(Shape.REFUSED), wanted(Shape.STALL))[LINK].now[-1] == Switch(True)


def test_differences_name_the_proxy_and_what_is_wrong() -> None:
    assert differences(found(Shape.REFUSED), wanted()) == (f"proxy '{LINK}' is disabled",)
    assert differences(found(), wanted(Shape.REFUSED)) == (f"proxy '{LINK}' is enabled",)
    assert differences(found(Shape.STALL), wanted())[0] == f"proxy '{LINK}' still has toxic 'bandwidth'"
    assert differences(found(), wanted(Shape.STALL))[0] == f"proxy '{LINK}' lacks toxic 'bandwidth' downstream"


def test_link_without_a_proxy_is_refused() -> None:
    with pytest.raises(PlaneFailed, match=r"no proxy 'client->lb.us-south-1' \(1 of the wanted links are missing, 1 are there\)"):
        moves({"other": LinkState()}, wanted(Shape.REFUSED))


@pytest.mark.parametrize(
    ("toxic", "attributes", "message"),
    [
        ("bandwidth", (("rate", -1),), "bandwidth wants rate -1, which is outside 0..1000000"),
        ("bandwidth", (("rte", 1),), r"bandwidth\(rte\) is not one of"),
        ("slicer", (), r"slicer\(\) is not one of"),
        ("timeout", (("timeout", 500),), "outside 0..0"),
        ("latency", (("jitter", 0), ("latency", -5)), "wants latency -5"),
    ],
)
def test_values_that_kill_or_fool_toxiproxy_are_refused(toxic: str, attributes: tuple[tuple[str, int], ...], message: str) -> None:
    with pytest.raises(PlaneFailed, match=message):
        check_range(ToxicOn(LINK, toxic, "upstream", attributes))
