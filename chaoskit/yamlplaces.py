"""YAML in which every value knows its line and its dotted path, so that an error can name both.

Safe loading only. Refuses what a reader cannot see through: duplicate keys, merge keys, unknown tags, files over 1 MB and aliases
that expand without bound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from chaoskit.errors import BadExperiment

MAX_BYTES = 1_000_000
MAX_VALUES = 20_000
MAX_DEPTH = 40

_MAP = "tag:yaml.org,2002:map"
_SEQ = "tag:yaml.org,2002:seq"


@dataclass(frozen=True, slots=True)
class Placed:
    """A value and where it stands: `where` is `FILE:LINE` or the option it came from, `path` the keys that lead to it there.

    A mapping holds Placed values by key, a list holds Placed items, anything else is a scalar.
    """

    value: object
    where: str
    path: tuple[str, ...] = ()

    @property
    def fields(self) -> Mapping[str, "Placed"]:
        """The entries of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> Sequence["Placed"]:
        """The items of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else ()

    def with_fields(self, fields: Mapping[str, "Placed"]) -> "Placed":
        """The same place with other entries."""
        return Placed(dict(fields), self.where, self.path)

    def at(self, message: str, *below: str) -> str:
        """`WHERE: dotted.path: message`, for this value or for something missing below it."""
        dotted = ".".join((*self.path, *below))
        return f"{self.where}: {dotted}: {message}" if dotted else f"{self.where}: {message}"


def read(path: Path) -> tuple[Placed, bytes]:
    """An experiment file as placed values, and its bytes. BadExperiment for anything that is not one YAML mapping."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadExperiment(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(raw) > MAX_BYTES:
        raise BadExperiment(f"{path}: is larger than {MAX_BYTES} bytes; an experiment is a page of YAML")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadExperiment(f"{path}: is not UTF-8 text (byte {error.start}), so it is not YAML") from error
    root = parse(text, str(path), numbered=True)
    if root.value is None:
        raise BadExperiment(f"{path}: is empty; an experiment is a mapping with name, workload, strikes and checks")
    if not isinstance(root.value, dict):
        raise BadExperiment(f"{path}:1: is a YAML {_kind(root.value)}, not a mapping with name, workload, strikes and checks")
    return root, raw


def parse(text: str, source: str, *, numbered: bool = False) -> Placed:
    """One YAML document as placed values; `numbered` adds the line to the source. An empty document has the value None."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return Placed(None, source)
        return _Converter(loader, source, numbered).convert(node, (), node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}" if mark is not None and numbered else source
        raise BadExperiment(f"{where}: is not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise BadExperiment(f"{source}: is not YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise BadExperiment(f"{source}: is nested too deeply to be an experiment") from error


def plain(node: Placed) -> object:
    """The value without its places."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.fields.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.items]
    return node.value


def child(node: Placed, step: str) -> Placed | None:
    """The entry or item called `step`, or None."""
    if isinstance(node.value, list):
        return node.items[int(step)] if step.isdecimal() and int(step) < len(node.items) else None
    return node.fields.get(step)


def assign(root: Placed, path: Sequence[str], value: Placed) -> Placed:
    """The tree with `value` at `path`; the parent must exist. BadExperiment names the first step that does not."""
    step = path[0]
    if isinstance(root.value, dict):
        if len(path) == 1:
            return root.with_fields({**root.fields, step: value})
        below = root.fields.get(step)
        if below is None:
            raise BadExperiment(value.at(f"there is no {step!r} in {_named(root)}; it has {', '.join(root.fields) or 'nothing'}"))
        return root.with_fields({**root.fields, step: assign(below, path[1:], value)})
    if isinstance(root.value, list):
        if not step.isdecimal() or int(step) >= len(root.items):
            raise BadExperiment(value.at(f"{_named(root)} has no item {step!r}; it has {len(root.items)}, counted from 0"))
        items = list(root.items)
        items[int(step)] = value if len(path) == 1 else assign(items[int(step)], path[1:], value)
        return Placed(items, root.where, root.path)
    raise BadExperiment(value.at(f"{_named(root)} is {root.value!r}, which has no {step!r} in it"))


def _named(node: Placed) -> str:
    return f"'{'.'.join(node.path)}'" if node.path else "the experiment"


def _kind(value: object) -> str:
    return "list" if isinstance(value, list) else "value"


class _Converter:
    """Nodes to placed values, counting what aliases expand to."""

    def __init__(self, loader: yaml.SafeLoader, source: str, numbered: bool) -> None:
        self._loader = loader
        self._source = source
        self._numbered = numbered
        self._count = 0

    def convert(self, node: yaml.Node, path: tuple[str, ...], seen_at: yaml.Node) -> Placed:
        where = self._where(seen_at)
        self._count += 1
        if self._count > MAX_VALUES or len(path) > MAX_DEPTH:
            raise BadExperiment(f"{where}: expands to more than {MAX_VALUES} values or {MAX_DEPTH} levels (by its aliases?)")
        if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
            return Placed(self._mapping(node, path), where, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQ:
            items = [self.convert(item, (*path, str(number)), item) for number, item in enumerate(node.value)]
            return Placed(items, where, path)
        if isinstance(node, yaml.ScalarNode):
            return Placed(self._scalar(node, path), where, path)
        raise BadExperiment(f"{where}: has the tag {node.tag!r}; only plain mappings, lists and values are read")

    def _mapping(self, node: yaml.MappingNode, path: tuple[str, ...]) -> dict[str, Placed]:
        fields: dict[str, Placed] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise BadExperiment(f"{self._where(key)}: a key must be a word, not a mapping or a list")
            name = str(key.value)
            if name in fields:
                raise BadExperiment(
                    Placed(None, self._where(key), (*path, name)).at(f"{name!r} stands here twice; first at {fields[name].where}")
                )
            fields[name] = self.convert(value, (*path, name), key)
        return fields

    def _scalar(self, node: yaml.ScalarNode, path: tuple[str, ...]) -> object:
        try:
            return self._loader.construct_object(node)
        except ValueError as error:
            raise BadExperiment(Placed(None, self._where(node), path).at(f"{node.value[:80]!r} cannot be read: {error}")) from error

    def _where(self, node: yaml.Node) -> str:
        return f"{self._source}:{node.start_mark.line + 1}" if self._numbered else self._source
