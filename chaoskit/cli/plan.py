"""What `plan` prints: the strikes of one variant on its topology, as text. Pure."""

from collections.abc import Mapping
from datetime import timedelta

from tabulate import tabulate

from chaoskit.experiment import Strike, Variant
from chaoskit.faults.fold import fold, told
from chaoskit.faults.symptom import Expected, expected
from chaoskit.model.strike import Change, Symptom
from chaoskit.model.topology import Topology
from chaoskit.model.units import format_duration


def plan_text(variant: Variant, topology: Topology) -> str:
    """The timeline and, for every strike, its changes and the symptom a peer of each link would see."""
    experiment = variant.experiment
    load = f"{experiment.workload.rate:g} sessions/s of {experiment.workload.mix}"
    head = (
        f"{experiment.name} [{variant.name}] on {topology.name}: steady {format_duration(experiment.steady)}, "
        f"{len(experiment.strikes)} strike(s), recover {format_duration(experiment.recover)}; {load}"
    )
    return "\n\n".join([head, *(_strike(number, strike, topology) for number, strike in enumerate(experiment.strikes))])


def _strike(number: int, strike: Strike, topology: Topology) -> str:
    changes = strike.fault.changes(topology)
    symptoms = expected(fold([changes]), topology)
    by_place: dict[str, list[str]] = {}
    for change in changes:
        by_place.setdefault(_place(change), []).append(told(change))
    struck = {link: symptom for link, symptom in symptoms.items() if symptom.symptom is not Symptom.HEALTHY}
    rows = [(place, ", ".join(by_place.get(place, ("-",))), _seen(symptoms, place)) for place in dict.fromkeys((*by_place, *struck))]
    amounts = " ".join(f"{key}={value}" for key, value in strike.fault.model_dump(mode="json").items() if key != "kind")
    title = f"strike {number}: {strike.fault.kind} {amounts}, {_when(strike)}; {len(struck)} of {len(topology.links)} links"
    return f"{title}\n{tabulate(rows, headers=('link or component', 'change', 'a peer sees'), tablefmt='simple')}"


def _when(strike: Strike) -> str:
    """The clock's moments, or the trigger's."""
    if isinstance(strike.at, timedelta):
        return f"from {format_duration(strike.at)} to {format_duration(strike.at + strike.lasts)}"
    within = format_duration(strike.at.within)
    return f"{strike.at.trigger().told}, for {format_duration(strike.lasts)} (if that does not come within {within}: inconclusive)"


def _place(change: Change) -> str:
    return str(getattr(change, "link", None) or getattr(change, "component", ""))


def _seen(symptoms: Mapping[str, Expected], place: str) -> str:
    found = symptoms.get(place)
    if found is None:
        return ""
    entry = place.startswith("client->") and found.symptom in (Symptom.REFUSED, Symptom.RESET)
    return f"{found.symptom.value}{' (from outside Docker: accepted, then closed)' if entry else ''}"
