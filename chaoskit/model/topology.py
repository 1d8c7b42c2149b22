"""Topologies as data: components, and the links between them that can be struck.

Every arrow between two components is a link, and every link is one Toxiproxy proxy of the same name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

KINDS = ("lb", "registry", "store")


@dataclass(frozen=True, slots=True, order=True)
class Component:
    """One process of a zone: a load balancer (`lb`), a registry or a store."""

    kind: str
    zone: str

    @property
    def name(self) -> str:
        """`KIND.ZONE`, as in link names and log files."""
        return f"{self.kind}.{self.zone}"


@dataclass(frozen=True, slots=True)
class Link:
    """A directed path between two components; `source` is the side that dials. The source `client` is outside of every zone."""

    name: str
    source: str
    target: str
    zones: tuple[str, ...]

    @property
    def target_kind(self) -> str:
        """The kind of the component that is dialled."""
        return self.target.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Topology:
    """A region or several: zones by region, the components in them, the links between those."""

    name: str
    regions: dict[str, tuple[str, ...]]
    components: tuple[Component, ...]
    links: tuple[Link, ...]

    @property
    def zones(self) -> tuple[str, ...]:
        """All zones, region by region."""
        return tuple(zone for zones in self.regions.values() for zone in zones)

    def region_of(self, zone: str) -> str:
        """The region a zone is in; KeyError for an unknown zone."""
        for region, zones in self.regions.items():
            if zone in zones:
                return region
        raise KeyError(zone)

    def component(self, name: str) -> Component:
        """The component called `KIND.ZONE`; KeyError if there is none."""
        for component in self.components:
            if component.name == name:
                return component
        raise KeyError(name)

    def link(self, name: str) -> Link:
        """The link of exactly that name; KeyError if there is none."""
        for link in self.links:
            if link.name == name:
                return link
        raise KeyError(name)

    def in_zone(self, zone: str) -> tuple[Component, ...]:
        """The components of one zone."""
        return tuple(component for component in self.components if component.zone == zone)

    def touching(self, zone: str) -> tuple[Link, ...]:
        """All links with an end in the zone, its inner links among them (11 of the 21 of three zones)."""
        return tuple(link for link in self.links if zone in link.zones)

    def crossing(self, side: Iterable[str]) -> tuple[Link, ...]:
        """Links between components with one end inside `side` and one outside; clients are on no side."""
        inside = frozenset(side)
        return tuple(
            link
            for link in self.links
            if link.source != "client" and any(z in inside for z in link.zones) and any(z not in inside for z in link.zones)
        )

    def into(self, component: Component) -> tuple[Link, ...]:
        """The links that end at a component."""
        return tuple(link for link in self.links if link.target == component.name)

    def named(self, glob: str) -> tuple[Link, ...]:
        """Links whose name matches a shell pattern; empty if none does."""
        return tuple(link for link in self.links if fnmatchcase(link.name, glob))


def _link(source: str, target: str) -> Link:
    zones = tuple(dict.fromkeys(end.partition(".")[2] for end in (source, target) if "." in end))
    return Link(name=f"{source}->{target}", source=source, target=target, zones=zones)


def region(name: str, zones: tuple[str, ...]) -> tuple[tuple[Component, ...], tuple[Link, ...]]:
    """Components and links of one region: z + z² + z + z(z−1) links for z zones."""
    components = tuple(Component(kind, zone) for zone in zones for kind in KINDS)
    links = [_link("client", f"lb.{z}") for z in zones]
    links += [_link(f"lb.{x}", f"registry.{y}") for x in zones for y in zones]
    links += [_link(f"registry.{z}", f"store.{z}") for z in zones]
    links += [_link(f"store.{x}", f"store.{y}") for x in zones for y in zones if x != y]
    return components, tuple(links)


def zones_of(region_name: str, count: int) -> tuple[str, ...]:
    """Zone names as the provider writes them: `us-south-1`, `us-south-2`, ..."""
    return tuple(f"{region_name}-{number}" for number in range(1, count + 1))


def one_region(name: str, zone_count: int) -> Topology:
    """A topology called `name` of one region, `us-south`."""
    zones = zones_of("us-south", zone_count)
    components, links = region("us-south", zones)
    return Topology(name=name, regions={"us-south": zones}, components=components, links=links)


def three_zones() -> Topology:
    """The region under test: three zones, 9 components, 21 links."""
    return one_region("three-zones", 3)


def three_zones_impatient() -> Topology:
    """Three zones whose balancers and stores wait less for a peer that does not answer: a variant of configuration, not of shape."""
    return one_region("three-zones-impatient", 3)


def one_zone() -> Topology:
    """The control that must fail: one zone, 3 components, 3 links."""
    return one_region("one-zone", 1)
