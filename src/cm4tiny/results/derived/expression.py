# SPDX-License-Identifier: Apache-2.0
"""Arithmetic over the named figures of a result, safely.

The grammar is a part of Python's expressions: numbers, names, ``+ - * / % **``, comparisons, ``and or not``, ``a if c else b`` and the
functions of ``FUNCTIONS``; texts may be compared with ``==`` and ``!=``. Python's parser makes the tree, a list of allowed node types
checks it, and a small evaluator walks it: no attribute, no subscript, no call of anything else, so an expression cannot run code. Length,
number of nodes and depth are limited, and every number is a float, so an expression cannot use up time or memory either.

A figure that is missing, a division by zero and an overflow give no value (``None``), not an error: results are incomplete by nature.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cm4tiny.errors import UsageError, nearest

Value = float | str | None

MAX_LENGTH = 500
MAX_NODES = 200
MAX_DEPTH = 30

FUNCTIONS: dict[str, tuple[int, int, Callable[..., float]]] = {  # name -> fewest and most arguments, function
    "abs": (1, 1, abs),
    "min": (2, 9, min),
    "max": (2, 9, max),
    "sqrt": (1, 1, math.sqrt),
    "exp": (1, 1, math.exp),
    "log": (1, 1, math.log),
    "log2": (1, 1, math.log2),
    "log10": (1, 1, math.log10),
}
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Mod: lambda a, b: a % b,
    ast.Pow: lambda a, b: a**b,
}
_SIGNS: dict[type[ast.unaryop], Callable[[float], float | bool]] = {ast.UAdd: lambda a: a, ast.USub: lambda a: -a, ast.Not: lambda a: not a}
_ORDER: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}
_ALLOWED = "allowed are numbers, columns, + - * / % **, comparisons, and or not, 'a if b else c', and " + ", ".join(sorted(FUNCTIONS))


class _NoValueError(Exception):
    """A figure is missing: so is the result."""


@dataclass(frozen=True)
class Expression:
    """A checked expression; make one with :meth:`parse`."""

    text: str
    names: frozenset[str]
    _tree: ast.expr = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, columns: Collection[str]) -> Expression:
        """Checks ``text`` as an expression over ``columns``.

        Raises:
            UsageError: it is too long, too deep, not an expression, uses something that is not allowed or a name that is not a column.
        """
        shown = f"the expression '{text[:60]}{'...' if len(text) > 60 else ''}'"
        if len(text) > MAX_LENGTH:
            raise UsageError(
                f"{shown} is too long", why=f"{len(text)} characters, at most {MAX_LENGTH}", hint="split it into several metrics"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the parser warns of things like "1 is 2", which are refused here anyway
                tree = ast.parse(text.strip(), mode="eval").body
            _check(tree, columns)
        except _RefusedError as error:
            raise UsageError(f"{shown} cannot be used", why=error.why, hint=error.hint) from None
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            why = error.msg if isinstance(error, SyntaxError) else str(error) or "it is nested too deeply"
            raise UsageError(f"{shown} is not an expression", why=why, hint=_ALLOWED) from None
        names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)) - FUNCTIONS.keys()
        return cls(text.strip(), frozenset(names), tree)

    def evaluate(self, values: Mapping[str, Value]) -> float | None:
        """The expression's value; ``None`` where a figure is missing or arithmetic has no finite result.

        Raises:
            UsageError: a text is used as a number.
        """
        try:
            return _number(_evaluate(self._tree, values), self.text)
        except (_NoValueError, ArithmeticError, ValueError):
            return None


class _RefusedError(Exception):
    def __init__(self, why: str, hint: str = _ALLOWED) -> None:
        super().__init__(why)
        self.why, self.hint = why, hint


def _check(tree: ast.expr, columns: Collection[str]) -> None:
    queue: list[tuple[ast.AST, int]] = [(tree, 1)]
    nodes = 0
    while queue:
        node, depth = queue.pop()
        nodes += 1
        if nodes > MAX_NODES:
            raise _RefusedError(f"it has more than {MAX_NODES} parts", "split it into several metrics")
        if depth > MAX_DEPTH:
            raise _RefusedError(f"it is nested more than {MAX_DEPTH} deep", "split it into several metrics")
        queue += [(child, depth + 1) for child in _parts(node, columns)]


def _parts(node: ast.AST, columns: Collection[str]) -> list[ast.expr]:
    """The parts of an allowed node that are to be checked in their turn."""
    match node:
        case ast.Constant(value=constant) if type(constant) in (int, float, str):
            return []
        case ast.Name(id=name):
            if name in columns:
                return []
            raise _RefusedError(f"there is no column '{name}'", nearest(name, columns) or f"columns: {', '.join(sorted(columns))}")
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
            return [left, right]
        case ast.UnaryOp(op=operator, operand=operand) if type(operator) in _SIGNS:
            return [operand]
        case ast.BoolOp(values=values):
            return values
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return [test, body, orelse]
        case ast.Compare(left=left, ops=operators, comparators=others) if {*map(type, operators)} <= {*_ORDER, ast.Eq, ast.NotEq}:
            return [left, *others]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return _arguments(name, arguments)
    raise _RefusedError(f"'{ast.unparse(node)[:60]}' is not allowed in it")


def _arguments(name: str, given: list[ast.expr]) -> list[ast.expr]:
    fewest, most, _ = FUNCTIONS[name]
    if not fewest <= len(given) <= most:
        raise _RefusedError(f"{name} takes {fewest if fewest == most else f'{fewest} to {most}'} arguments, not {len(given)}")
    return given


def _number(value: Value | bool, text: str) -> float:
    if value is None:
        raise _NoValueError
    if isinstance(value, str):
        raise UsageError(
            f"the expression '{text}' counts with a text", why=f"'{value[:60]}' is not a number", hint="use texts with == and != only"
        )
    if isinstance(value, complex) or not math.isfinite(value):
        raise _NoValueError
    return float(value)


def _evaluate(node: ast.expr, values: Mapping[str, Value]) -> Value | bool:
    def number(part: ast.expr) -> float:
        return _number(_evaluate(part, values), ast.unparse(part))

    match node:
        case ast.Constant(value=constant):
            return constant if isinstance(constant, str) else float(constant)  # type: ignore[arg-type]  # see _parts
        case ast.Name(id=name):
            return values.get(name)
        case ast.BinOp(left=left, op=operator, right=right):
            result: float = _ARITHMETIC[type(operator)](number(left), number(right))
            return _number(result, "")
        case ast.UnaryOp(op=operator, operand=operand):
            return _SIGNS[type(operator)](number(operand))
        case ast.BoolOp(op=operator, values=parts):
            return (all if isinstance(operator, ast.And) else any)(number(part) for part in parts)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _evaluate(body if number(test) else orelse, values)
        case ast.Compare():
            return _compare(node, values)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name][2](*(number(argument) for argument in arguments))
    raise AssertionError(f"{type(node).__name__} was not checked")


def _compare(node: ast.Compare, values: Mapping[str, Value]) -> bool:
    left = _evaluate(node.left, values)
    for operator, comparator in zip(node.ops, node.comparators, strict=True):
        right = _evaluate(comparator, values)
        if left is None or right is None:
            raise _NoValueError
        if isinstance(operator, ast.Eq | ast.NotEq):
            holds = (left == right) == isinstance(operator, ast.Eq)
        else:
            holds = _ORDER[type(operator)](_number(left, node.__class__.__name__), _number(right, node.__class__.__name__))
        if not holds:
            return False
        left = right
    return True
