"""What a peer must see on each link while a wanted state holds: the yardstick of the canaries."""

from collections.abc import Mapping
from dataclasses import dataclass

from chaoskit.faults.fold import Wanted
from chaoskit.model.strike import Symptom, ToxicOn
from chaoskit.model.topology import Link, Topology


@dataclass(frozen=True, slots=True)
class Expected:
    """The symptom of a link, with the least delay (ms) and the rate (KB/s, 0 = no limit) of each stream: up is towards the target.

    `arrives`: the link is silent only towards the peer. What it sends reaches the target, which may hang up, and Toxiproxy passes that on.
    """

    symptom: Symptom = Symptom.HEALTHY
    up_ms: int = 0
    down_ms: int = 0
    up_kb_s: int = 0
    down_kb_s: int = 0
    arrives: bool = False


def expected(wanted: Wanted, topology: Topology) -> Mapping[str, Expected]:
    """The expected symptom of every link, healthy ones too."""
    return {link.name: _of_link(link, wanted) for link in topology.links}


def _of_link(link: Link, wanted: Wanted) -> Expected:
    process = wanted.processes.get(link.target)
    toxics = wanted.toxics.get(link.name, ())
    if link.name in wanted.down or process == "dead":
        return Expected(Symptom.REFUSED)
    if any(toxic.type == "reset_peer" for toxic in toxics):
        return Expected(Symptom.RESET)
    silenced = {toxic.stream for toxic in toxics if _silences(toxic)}
    if process == "frozen" or silenced:
        return Expected(Symptom.SILENT, arrives=process != "frozen" and silenced == {"downstream"})
    delays = {toxic.stream: _least_ms(toxic) for toxic in toxics if toxic.type == "latency"}
    rates = {toxic.stream: dict(toxic.attributes)["rate"] for toxic in toxics if toxic.type == "bandwidth"}
    if not delays and not rates:
        return Expected()
    return Expected(
        Symptom.SLOW if delays else Symptom.TRICKLE,
        up_ms=delays.get("upstream", 0),
        down_ms=delays.get("downstream", 0),
        up_kb_s=rates.get("upstream", 0),
        down_kb_s=rates.get("downstream", 0),
    )


def _silences(toxic: ToxicOn) -> bool:
    return toxic.type == "timeout" or (toxic.type == "bandwidth" and dict(toxic.attributes)["rate"] == 0)


def _least_ms(toxic: ToxicOn) -> int:
    attributes = dict(toxic.attributes)
    return attributes["latency"] - attributes["jitter"]
