"""Mutants of a module's source: one small change each, of a kind that a slip of the pen would make.

Texts that people read (f-strings, docstrings, strings with a blank), annotations, imports and decorators are left alone: changing them
changes no verdict.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}
_MASK: dict[type[ast.operator], type[ast.operator]] = {ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
_CALLS = (("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("any", "all"), ("zeros", "ones"), ("floor", "ceil"))
_OTHER_CALL = {name: other for pair in _CALLS for name, other in (pair, pair[::-1])}
_SIDES = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Mutant:
    """A changed module: `kind` of change, the line it is on, the text before and after, and the whole source."""

    kind: str
    line: int
    before: str
    after: str
    source: str


Replacement = tuple[str, ast.AST]


def _with(node: ast.AST, **fields: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _operators(node: ast.AST) -> Iterator[Replacement]:
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                for other in _COMPARE.get(type(op), ()):
                    yield "comparison", _with(node, ops=[*ops[:place], other(), *ops[place + 1 :]])
        case ast.BoolOp(op=op):
            yield "condition", _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _ARITHMETIC:
            yield "arithmetic", _with(node, op=_ARITHMETIC[type(op)]())
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _MASK:
            yield "mask", _with(node, op=_MASK[type(op)]())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "condition", operand
        case ast.UnaryOp(op=ast.Invert(), operand=operand):
            yield "mask", operand
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield "number", operand


def _constants(node: ast.AST) -> Iterator[Replacement]:
    match node:
        case ast.Constant(value=bool() as value):
            yield "number", ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield "number", ast.Constant(value + 1)
        case ast.Constant(value=str() as value) if value and " " not in value:
            yield "name", ast.Constant(_SIDES.get(value, f"{value}x"))


def _control(node: ast.AST) -> Iterator[Replacement]:
    match node:
        case ast.If() | ast.IfExp() | ast.While():
            yield "branch", _with(node, test=ast.Constant(True))
            yield "branch", _with(node, test=ast.Constant(False))
        case ast.Attribute(attr=name) if name in _OTHER_CALL:
            yield "call", _with(node, attr=_OTHER_CALL[name])
        case ast.Call(func=ast.Name(id=name)) if name in _OTHER_CALL:
            yield "call", _with(node, func=ast.Name(_OTHER_CALL[name], ast.Load()))
        case ast.Subscript(value=value, slice=ast.Slice(lower=None, upper=None, step=ast.UnaryOp())):
            yield "call", value
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Assign(targets=[ast.Subscript()]):
            yield "statement", ast.Pass()


_Slot = tuple[ast.AST, str, int | None]
_TEXT = "what"  # the argument of `capped` that is a piece of a sentence
_LEFT_ALONE = ("annotation", "returns", "decorator_list", "bases")


def _slots(node: ast.AST) -> Iterator[tuple[_Slot, ast.AST]]:
    """Every node that may change, and where it hangs."""
    for name, value in ast.iter_fields(node):
        if name in _LEFT_ALONE:
            continue
        children = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for place, child in children:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            if isinstance(child, ast.keyword) and child.arg == _TEXT:
                continue
            yield (node, name, place), child
            yield from _slots(child)


def _put(slot: _Slot, node: ast.AST) -> None:
    parent, name, place = slot
    if place is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[place] = node


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of its source."""
    tree = ast.parse(source)
    for slot, node in list(_slots(tree)):
        for kind, new in (*_operators(node), *_constants(node), *_control(node)):
            _put(slot, ast.fix_missing_locations(ast.copy_location(new, node)))
            changed = ast.unparse(tree)
            _put(slot, node)
            yield Mutant(kind, getattr(node, "lineno", 0), _brief(node), _brief(new), changed)


def _brief(node: ast.AST) -> str:
    return ast.unparse(node).partition("\n")[0]
