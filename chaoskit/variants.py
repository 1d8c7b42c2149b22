"""One file, several runs: what `--set`, `sweep` and values by driver leave of an experiment's tree. Knows places, not models."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chaoskit.complaints import not_one_of
from chaoskit.errors import BadExperiment
from chaoskit.yamlplaces import Placed, assign, parse

_EXPECT_KEYS = ("violated", "may", "because")


@dataclass(frozen=True, slots=True)
class Tree:
    """One variant before validation: values may still differ by driver. `swept` is this variant's value, `among` all of them."""

    name: str
    root: Placed
    swept: str = ""
    among: tuple[str, ...] = ()


def trees(root: Placed, sets: Sequence[str]) -> tuple[Tree, ...]:
    """The variants of a file, in the order of its sweep. Setting the swept path leaves that one variant."""
    choices = [_setting(text) for text in sets]
    sweep = root.fields.get("sweep")
    for value in choices:
        if value.path[0] == "sweep":
            raise BadExperiment(value.at("set the swept path itself to leave one variant"))
    root = root.with_fields({key: value for key, value in root.fields.items() if key != "sweep"})
    if sweep is None:
        return (Tree("default", _assigned(root, choices)),)
    path, values = _sweep(sweep)
    chosen = [value for value in choices if value.path == path]
    root = _assigned(root, [value for value in choices if value.path != path])
    among = tuple(dict.fromkeys(_text(value) for value in (*values, *chosen)))
    kept = chosen[-1:] or values
    return tuple(Tree(_word(_text(value)), assign(root, path, value), _text(value), among) for value in kept)


def for_driver(node: Placed, driver: str, drivers: Collection[str], *, strict: bool) -> Placed:
    """The tree with every mapping by driver replaced by the driver's value; `strict` refuses a mapping that leaves it out."""
    names = [key for key in node.fields if key in drivers]
    if not names:
        if node.fields:
            return node.with_fields({key: for_driver(value, driver, drivers, strict=strict) for key, value in node.fields.items()})
        if node.items:
            return Placed([for_driver(item, driver, drivers, strict=strict) for item in node.items], node.where, node.path)
        return node
    for key, value in node.fields.items():
        if key not in drivers:
            raise BadExperiment(value.at(not_one_of(key, drivers)))
    if driver in node.fields:
        return node.fields[driver]
    if strict:
        raise BadExperiment(node.at(f"has no value for the driver {driver!r}, only for {', '.join(names)}"))
    return node.fields[names[0]]


def expectation(node: Placed, driver: str, drivers: Collection[str], tree: Tree) -> Placed | None:
    """What `expect` says of this driver and swept value, in whichever order it is nested; None if it says nothing of them."""
    keys = list(node.fields)
    if not keys or any(key in _EXPECT_KEYS for key in keys):
        return node
    unknown = [key for key in keys if key not in drivers and key not in tree.among]
    if unknown:
        raise BadExperiment(node.fields[unknown[0]].at(not_one_of(unknown[0], (*_EXPECT_KEYS, *drivers, *tree.among))))
    below = node.fields.get(driver if keys[0] in drivers else tree.swept)
    return None if below is None else expectation(below, driver, drivers, tree)


def _setting(text: str) -> Placed:
    dotted, equals, value = text.partition("=")
    path = tuple(dotted.strip().split("."))
    if not equals or not all(path):
        raise BadExperiment(f"--set {text}: is not of the form path=value, such as strikes.0.fault.shape=black-hole")
    return _moved(parse(value, "--set"), path)


def _moved(node: Placed, path: tuple[str, ...]) -> Placed:
    value = node.value
    if isinstance(value, dict):
        value = {key: _moved(below, (*path, key)) for key, below in node.fields.items()}
    elif isinstance(value, list):
        value = [_moved(below, (*path, str(number))) for number, below in enumerate(node.items)]
    return Placed(value, "--set", path)


def _assigned(root: Placed, choices: Sequence[Placed]) -> Placed:
    for value in choices:
        root = assign(root, value.path, value)
    return root


def _sweep(sweep: Placed) -> tuple[tuple[str, ...], list[Placed]]:
    if len(sweep.fields) != 1:
        raise BadExperiment(sweep.at("must be one path with a list of values, such as strikes.0.fault.shape: [refused, reset]"))
    ((dotted, values),) = sweep.fields.items()
    texts = [_text(value) for value in values.items]
    if not texts or any(value.fields or value.items or value.value is None for value in values.items):
        raise BadExperiment(values.at("must be a list of one or more single values"))
    twice = next((value for number, value in enumerate(values.items) if _word(texts[number]) in map(_word, texts[:number])), None)
    if twice is not None:
        raise BadExperiment(twice.at(f"{twice.value!r} is swept twice"))
    return tuple(dotted.split(".")), list(values.items)


def _text(value: Placed) -> str:
    return str(value.value).lower() if isinstance(value.value, bool) else str(value.value)


def _word(text: str) -> str:
    """The text as part of a folder's name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.") or "value"
