"""When a strike begins, as an experiment says it: at a time, or at a moment of the protocol. Refuses to know how such a moment is met."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PlainSerializer, Tag

from chaoskit.model.strike import Trigger
from chaoskit.model.units import Duration, Positive, nanoseconds

AfterStep = Literal["blob-post", "blob-patch", "blob-put", "ack"]
StepPair = Literal["post-patch", "post-put", "patch-put", "put-manifest"]

_ACTIONS = {"post": "upload-post", "patch": "upload-patch", "put": "upload-put", "manifest": "manifest-put", "ack": "manifest-put"}
_KEYS = ("after", "between", "at_byte")


class _Moment(BaseModel):
    """What all moments have: the `nth` of its kind, at the entry of a `zone`, in a `lane`, not later than `within` the strike phase."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    nth: Annotated[int, Field(ge=1, strict=True)] = 1
    zone: str = ""
    lane: Literal["pinned", "regional"] | None = None
    within: Positive = timedelta(seconds=30)

    def told(self, what: str) -> str:
        """The moment in words."""
        where = f" at {self.zone}" if self.zone else ""
        lane = f" in the {self.lane} lane" if self.lane else ""
        return f"{what}, number {self.nth}{where}{lane}"


class After(_Moment):
    """A step of an upload, or the manifest PUT of a tag (`ack`), was acknowledged."""

    after: AfterStep

    def trigger(self) -> Trigger:
        """The same as the workload watches for it."""
        action = _ACTIONS[self.after.removeprefix("blob-")]
        within_ns = nanoseconds(self.within)
        return Trigger("after", self.told(f"after {self.after}"), action, "", 0.0, self.nth, self.zone, self.lane or "", within_ns)


def _joined(value: object) -> object:
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else value


class Between(_Moment):
    """One step of an upload was acknowledged and the next is about to be sent: `[post, patch]` or `post-patch`."""

    between: Annotated[StepPair, BeforeValidator(_joined)]

    def trigger(self) -> Trigger:
        """The same as the workload watches for it."""
        first, _, then = self.between.partition("-")
        told = self.told(f"between {first} and {then}")
        return Trigger(
            "between", told, _ACTIONS[first], _ACTIONS[then], 0.0, self.nth, self.zone, self.lane or "", nanoseconds(self.within)
        )


def _share(value: object) -> object:
    """`40%` -> 0.4. ValueError for a bare number and for 0 and 100."""
    if isinstance(value, str) and value.endswith("%"):
        try:
            share = float(value.removesuffix("%")) / 100
        except ValueError:
            share = 0.0
        if 0 < share < 1:
            return share
    raise ValueError(f"{value!r} is not a place inside a blob; write a percentage above 0% and below 100%, such as 40%")


class AtByte(_Moment):
    """A share of the bytes of a large blob has been read by a pull."""

    at_byte: Annotated[float, BeforeValidator(_share), PlainSerializer(lambda share: f"{100 * share:g}%", return_type=str)]
    of: Literal["pull"]

    def trigger(self) -> Trigger:
        """The same as the workload watches for it."""
        told = self.told(f"at {100 * self.at_byte:g}% of a pulled layer")
        return Trigger("at-byte", told, "", "", self.at_byte, self.nth, self.zone, self.lane or "", nanoseconds(self.within))


def _which(value: Any) -> str:
    """The tag of the form a value has; a mapping without one of the keys, or with two, is told so."""
    if isinstance(value, BaseModel):
        return f"{type(value).__name__.lower()}-moment"
    if not isinstance(value, dict):
        return "a time"
    return next((tag for tag, model in MOMENTS.items() if set(value) & set(model.model_fields) & set(_KEYS)), "a time")


def _one_form(value: object) -> object:
    if isinstance(value, dict) and len(found := [key for key in _KEYS if key in value]) != 1:
        what = f"both {' and '.join(map(repr, found))}" if found else f"only {', '.join(map(repr, value)) or 'nothing'}"
        raise ValueError(f"needs a time such as 5s, or a mapping with exactly one of 'after', 'between' and 'at_byte'; has {what}")
    return value


MOMENTS: dict[str, type[BaseModel]] = {"after-moment": After, "between-moment": Between, "atbyte-moment": AtByte}

When = Annotated[
    Annotated[Duration, Tag("a time")]
    | Annotated[After, Tag("after-moment")]
    | Annotated[Between, Tag("between-moment")]
    | Annotated[AtByte, Tag("atbyte-moment")],
    Discriminator(_which),
    BeforeValidator(_one_form),
]
