"""What is wrong with an input, in sentences: pydantic's errors with the place, the value found and the choices, nearest first."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from chaoskit.yamlplaces import Placed, child

_CLOSE = 0.6
_TAGS = ("kind", "check")


def not_one_of(value: object, choices: Iterable[str]) -> str:
    """`'blakhole' is not one of black-hole, refused (did you mean 'black-hole'?)`, the nearest choice first."""
    text = str(value)
    close = {choice: SequenceMatcher(None, text, choice).ratio() for choice in choices}
    ranked = sorted(close, key=lambda choice: -close[choice])
    hint = f" (did you mean {ranked[0]!r}?)" if ranked and close[ranked[0]] >= _CLOSE else ""
    return f"{value!r} is not one of {', '.join(ranked) or 'nothing'}{hint}"


def sentences(error: ValidationError, root: Placed, model: type[BaseModel], tagged: Mapping[str, type[BaseModel]]) -> list[str]:
    """One line an error. `tagged` are the models of the discriminated unions below `model`, by tag."""
    lines = []
    for detail in error.errors(include_url=False):
        node, missing = locate(root, detail["loc"])
        below = missing
        if detail["type"] == "union_tag_invalid" and detail["ctx"]["discriminator"].strip("'") in node.fields:
            node, below = node.fields[detail["ctx"]["discriminator"].strip("'")], ()
        if detail["type"] == "extra_forbidden" and (key := str(detail["loc"][-1])) in node.path:
            node = Placed(node.value, node.where, node.path[: node.path.index(key) + 1])  # a value by driver lies one step deeper
        lines.append(node.at(_sentence(detail, model, tagged), *below))
    return lines


def locate(root: Placed, loc: Sequence[str | int]) -> tuple[Placed, tuple[str, ...]]:
    """The deepest value on the way, and the steps that are not there. Steps that only name a union's member are passed over."""
    node = root
    for number, step in enumerate(loc):
        below = child(node, str(step))
        if below is not None:
            node = below
        elif number == len(loc) - 1 and node.fields and not _is_tag(node, step):
            return node, (str(step),)
    return node, ()


def _is_tag(node: Placed, step: str | int) -> bool:
    return any(tag in node.fields and node.fields[tag].value == step for tag in _TAGS)


def _sentence(detail: ErrorDetails, model: type[BaseModel], tagged: Mapping[str, type[BaseModel]]) -> str:
    context = detail.get("ctx", {})
    found = detail["input"]
    match detail["type"]:
        case "missing":
            return "is required and not there"
        case "extra_forbidden":
            return not_one_of(detail["loc"][-1], _fields_at(model, detail["loc"][:-1], tagged))
        case "literal_error" | "enum":
            return not_one_of(found, _quoted(context["expected"]))
        case "union_tag_invalid":
            return not_one_of(context["tag"], _quoted(context["expected_tags"]))
        case "union_tag_not_found":
            tag = context["discriminator"].strip("'")
            return f"needs {tag!r}; found {_shown(found)}"
        case "value_error":
            return str(context["error"])
        case _:
            return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}; found {_shown(found)}"


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _fields_at(model: type[BaseModel], loc: Sequence[str | int], tagged: Mapping[str, type[BaseModel]]) -> list[str]:
    """The keys allowed at a place, by walking the models along the location."""
    current = model
    for step in loc:
        if isinstance(step, int):
            continue
        field = next((f for name, f in current.model_fields.items() if step in (name, f.alias)), None)
        if field is not None:
            inner = _models_in(field.annotation)
            current = inner[0] if len(inner) == 1 else current
        elif step in tagged:
            current = tagged[step]
    return [field.alias or name for name, field in current.model_fields.items() if name not in ("check",)]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
