"""The experiment file: its models, and `load`, which turns one file into validated variants or says what is wrong and where.

Starts nothing and asks no driver: a file that loads can be planned on any machine.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chaoskit.complaints import not_one_of, sentences
from chaoskit.errors import BadExperiment
from chaoskit.faults.fold import contradiction
from chaoskit.kinds import CHECKS, FAULTS, AnyCheck, AnyFault
from chaoskit.model.strike import Change, Trigger
from chaoskit.model.topology import Topology
from chaoskit.model.units import Positive, Rate, nanoseconds
from chaoskit.model.verdict import GUARDS, Expectation
from chaoskit.model.workload import TRACED, WorkloadSpec
from chaoskit.moments import MOMENTS, AtByte, When
from chaoskit.variants import Tree, expectation, for_driver, trees
from chaoskit.yamlplaces import Placed, child, parse, plain, read

SCHEMA_VERSION = 1
MAX_RATE = 1000.0

Promise = Literal["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11"]
Topologies = Mapping[str, Callable[[], Topology]]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Objective(_Model):
    """An attempt slower than this counts as bad."""

    push: Positive = timedelta(seconds=5)
    pull: Positive = timedelta(seconds=2)
    manifest: Positive = timedelta(seconds=1)


class Workload(_Model):
    """What is asked of the region: sessions a second over all lanes, the client in the regional one, and the limit of one attempt.

    `scale` multiplies the blob sizes of the published trace (default 0.01), `tenants` is how many share the registry (default 6).
    `large_layer_mib` above 0 adds an image with a layer of so many MiB, pushed once and pulled again and again through every entry.
    """

    mix: Literal["basic", "tag-race", "housekeeping", "registry", "push-heavy", "read-only", "large-layers", "pull-storm"]
    rate: Annotated[Rate, Field(le=MAX_RATE)]
    profile: Literal["none", "basic", "crane", "containerd", "skopeo", "regclient", "docker"] = "basic"
    timeout: Positive = timedelta(seconds=10)
    objective: Objective = Objective()
    large_layer_mib: Annotated[int, Field(ge=0, le=512, strict=True)] = 0
    scale: Annotated[float, Field(gt=0, le=1)] | None = None
    tenants: Annotated[int, Field(ge=1, le=100)] | None = None

    @model_validator(mode="after")
    def _has_such_knobs(self) -> "Workload":
        for name, mixes in (("scale", (*TRACED, "pull-storm")), ("tenants", TRACED)):
            if getattr(self, name) is not None and self.mix not in mixes:
                raise ValueError(f"{name!r} says nothing to the mix {self.mix!r}; leave it out, or choose one of {', '.join(mixes)}")
        return self

    def spec(self) -> WorkloadSpec:
        """The same as the plan of a run wants it."""
        known = WorkloadSpec(self.mix, self.rate, nanoseconds(self.timeout), self.objective_ns)
        return replace(known, scale=self.scale or known.scale, tenants=self.tenants or known.tenants)

    @property
    def objective_ns(self) -> Mapping[str, int]:
        """The objective in ns, by action."""
        return {name: nanoseconds(getattr(self.objective, name)) for name in ("push", "pull", "manifest")}


class Strike(_Model):
    """One fault, `at` after the strike phase began or at a moment of the protocol in it, active `for` a time."""

    at: When = timedelta(0)
    lasts: Positive = Field(alias="for")
    fault: AnyFault

    @property
    def trigger(self) -> Trigger | None:
        """What it waits for; None where its time is known."""
        return None if isinstance(self.at, timedelta) else self.at.trigger()

    def overlaps(self, other: "Strike") -> bool:
        """Both are active at one moment, or may be: when a trigger fires nobody knows."""
        if not isinstance(self.at, timedelta) or not isinstance(other.at, timedelta):
            return True
        return self.at < other.at + other.lasts and other.at < self.at + self.lasts


class Expect(_Model):
    """The checks that must be violated, those that may be, and the cause the logs showed."""

    violated: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    because: str = ""

    @model_validator(mode="after")
    def _says_why(self) -> "Expect":
        if self.violated and not self.because.strip():
            raise ValueError("'because' is required with 'violated': say what the logs showed")
        return self


class Experiment(_Model):
    """One experiment, resolved for one driver and one swept value."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
    claims: tuple[Promise, ...] = ()
    duty: Literal["provider", "customer", "both"] = "provider"
    hypothesis: Annotated[str, Field(min_length=1)]
    topology: str
    workload: Workload
    steady: Positive
    strikes: tuple[Strike, ...]
    recover: Positive
    checks: tuple[AnyCheck, ...]
    expect: Expect = Expect()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1


@dataclass(frozen=True, slots=True)
class Variant:
    """One run to do: the experiment, which swept value it is (`default` without a sweep), and the hash of the file it came from."""

    name: str
    experiment: Experiment
    experiment_sha256: str

    @property
    def expectation(self) -> Expectation:
        """What is expected of this run."""
        expect = self.experiment.expect
        return Expectation(expect.violated, expect.may, expect.because)


def load(path: Path, *, driver: str, drivers: Collection[str], topologies: Topologies, sets: Sequence[str] = ()) -> tuple[Variant, ...]:
    """The variants of a file for one driver. The values of the other drivers are validated too. BadExperiment lists every error."""
    root, raw = read(path)
    variants = []
    errors: list[str] = []
    for tree in trees(root, sets):
        for name in (driver, *(other for other in drivers if other != driver)):
            try:
                experiment = _validated(tree, name, drivers, topologies, strict=name == driver)
            except BadExperiment as error:
                errors += str(error).splitlines()
                continue
            if name == driver:
                variants.append(Variant(tree.name, experiment, hashlib.sha256(raw).hexdigest()))
    if errors:
        raise BadExperiment("\n".join(dict.fromkeys(errors)))
    return tuple(variants)


def dump(experiment: Experiment) -> str:
    """The experiment as a file that `load` and `restore` read back."""
    fields = experiment.model_dump(mode="json", by_alias=True)
    fields["checks"] = [{check.pop("check"): check} for check in fields["checks"]]
    return yaml.safe_dump({"schema_version": SCHEMA_VERSION, **fields}, sort_keys=False, allow_unicode=True, width=120)


def restore(text: str, source: str) -> Experiment:
    """An experiment as `dump` wrote it. BadExperiment if it is not one."""
    return _modelled(_prepared(parse(text, source, numbered=True)))


def _validated(tree: Tree, driver: str, drivers: Collection[str], topologies: Topologies, *, strict: bool) -> Experiment:
    fields = dict(tree.root.fields)
    expect = fields.pop("expect", None)
    expected = None if expect is None else expectation(expect, driver, drivers, tree)
    root = for_driver(tree.root.with_fields(fields), driver, drivers, strict=strict)
    root = _prepared(root if expected is None else root.with_fields({**root.fields, "expect": expected}))
    experiment = _modelled(root)
    errors = [*_expect_errors(experiment, root), *_strike_errors(experiment, root, topologies)]
    if errors:
        raise BadExperiment("\n".join(errors))
    return experiment


def _modelled(root: Placed) -> Experiment:
    try:
        return Experiment.model_validate(plain(root))
    except ValidationError as error:
        raise BadExperiment("\n".join(sentences(error, root, Experiment, {**FAULTS, **CHECKS, **MOMENTS}))) from error


def _prepared(root: Placed) -> Placed:
    """Without the version; checks as mappings with their name under `check`, the guards among them."""
    fields = dict(root.fields)
    version = fields.pop("schema_version", None)
    if version is not None and version.value != SCHEMA_VERSION:
        raise BadExperiment(version.at(f"{version.value!r} is not a version this chaoskit reads; it reads {SCHEMA_VERSION}"))
    checks = fields.get("checks")
    if checks is None or not isinstance(checks.value, list):
        return root.with_fields(fields)
    items = [_named_check(item) for item in checks.items]
    names = [item.fields["check"].value for item in items]
    for number, item in enumerate(items):
        if names[number] in names[:number]:
            raise BadExperiment(item.at(f"{names[number]!r} stands here twice"))
    guards = [name for name in sorted(GUARDS) if name not in names and (name != "effect" or _has_strikes(root))]
    items += [Placed({"check": Placed(name, checks.where, checks.path)}, checks.where, checks.path) for name in guards]
    return root.with_fields({**fields, "checks": Placed(items, checks.where, checks.path)})


def _has_strikes(root: Placed) -> bool:
    strikes = child(root, "strikes")
    return strikes is not None and bool(strikes.items)


def _named_check(item: Placed) -> Placed:
    if isinstance(item.value, str):
        return item.with_fields({"check": item})
    if len(item.fields) == 1:
        ((name, parameters),) = item.fields.items()
        if parameters.value is None or isinstance(parameters.value, dict):
            return item.with_fields({"check": Placed(name, parameters.where, item.path), **parameters.fields})
    raise BadExperiment(item.at("write a check as its name, or as name: {parameter: value}"))


def _expect_errors(experiment: Experiment, root: Placed) -> list[str]:
    runs = [check.check for check in experiment.checks if check.check not in GUARDS]
    errors = []
    for key, names in (("violated", experiment.expect.violated), ("may", experiment.expect.may)):
        for number, name in enumerate(names):
            if name not in runs:
                place = root.fields["expect"].fields[key].items[number]
                errors.append(
                    place.at(f"{not_one_of(name, runs)}: expect names checks this experiment runs, none of {', '.join(sorted(GUARDS))}")
                )
    return errors


def _strike_errors(experiment: Experiment, root: Placed, topologies: Topologies) -> list[str]:
    """Computes the changes of every strike: an unknown zone or link, and strikes that contradict each other, fail here."""
    if experiment.topology not in topologies:
        return [root.fields["topology"].at(not_one_of(experiment.topology, topologies))]
    topology = topologies[experiment.topology]()
    places = root.fields["strikes"].items
    errors = _trigger_errors(experiment, places, topology)
    changes: dict[int, tuple[Change, ...]] = {}
    for number, strike in enumerate(experiment.strikes):
        try:
            changes[number] = strike.fault.changes(topology)
        except BadExperiment as error:
            errors.append(_named_in(str(error), places[number].fields["fault"]).at(str(error)))
    for first, second in combinations(changes, 2):
        if experiment.strikes[first].overlaps(experiment.strikes[second]):
            quarrel = contradiction(changes[first], changes[second])
            if quarrel is not None:
                errors.append(places[second].at(f"contradicts strike {first}, active at the same time: {quarrel}"))
    return errors


def _trigger_errors(experiment: Experiment, places: Sequence[Placed], topology: Topology) -> list[str]:
    """Triggers at an entry that does not exist, or at a byte of a large layer that nobody pulls, can never fire."""
    errors = []
    for strike, place in zip(experiment.strikes, places, strict=True):
        trigger = strike.trigger
        if trigger is not None and trigger.zone and trigger.zone not in topology.zones:
            errors.append(place.fields["at"].fields["zone"].at(not_one_of(trigger.zone, topology.zones)))
        if isinstance(strike.at, AtByte) and not experiment.workload.large_layer_mib:
            message = "no pull is large enough to be met inside; add workload.large_layer_mib, such as 32"
            errors.append(place.fields["at"].fields["at_byte"].at(message))
    return errors


def _named_in(message: str, fault: Placed) -> Placed:
    """The field of the fault whose value the message shows, or the fault."""
    shown = (field for key, field in fault.fields.items() if key != "kind" and repr(field.value) in message)
    return next(shown, fault)
