"""`faults` and `checks`: what there is, printed from the classes themselves."""

import inspect
from datetime import timedelta

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from tabulate import tabulate

from chaoskit.faults.base import Direction, Shape
from chaoskit.kinds import CHECKS, FAULTS
from chaoskit.model.units import format_duration
from chaoskit.model.verdict import GUARDS, SAFETY


def faults() -> None:
    """List the faults an experiment can strike with, and their parameters.

    Example: chaoskit faults
    """
    rows = [(kind, _parameters(fault, "kind"), _first_line(fault)) for kind, fault in FAULTS.items()]
    print(tabulate(rows, headers=("fault", "parameters", "what it does"), tablefmt="simple", maxcolwidths=[None, 38, 62]))
    print(f"\nshape: {', '.join(Shape)}\ndirection: {', '.join(Direction)}")


def checks() -> None:
    """List the checks a run can be judged by, and their parameters.

    Example: chaoskit checks
    """
    rows = [(name, _sort(name), _parameters(check, "check"), _first_line(check)) for name, check in CHECKS.items()]
    print(tabulate(rows, headers=("check", "sort", "parameters", "what it asks"), tablefmt="simple", maxcolwidths=[None, None, 32, 58]))


COMMANDS = {"faults": faults, "checks": checks}


def _sort(name: str) -> str:
    return "safety" if name in SAFETY else "guard (always runs)" if name in GUARDS else "service"


def _first_line(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").split("\n\n")[0].replace("\n", " ")


def _parameters(model: type[BaseModel], tag: str) -> str:
    return ", ".join(_parameter(name, field) for name, field in model.model_fields.items() if name != tag)


def _parameter(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return name
    default = field.get_default()
    return f"{name}={format_duration(default) if isinstance(default, timedelta) else default}"
