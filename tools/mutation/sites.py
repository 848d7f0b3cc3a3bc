# SPDX-License-Identifier: Apache-2.0
"""Single-point changes of Python, C and data files, as replacements of a piece of text."""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Change = tuple[int, int, str, str]
"""Begin and end in the text, the new piece, and the kind of change."""

COMPARE: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
BINARY: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"),
    ast.Pow: ("**", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "&"),
}
TEXT_KEYS = {"description", "desc", "title", "$schema", "$id", "$comment", "examples"}
"""Human-readable texts: of a JSON schema, of inputs and automations."""


@dataclass(frozen=True)
class Mutant:
    """One change: ``text[begin:end]`` of a file (a path in the repository) becomes ``new``.

    ``key`` stays the same when other lines of the file change, so that a sample does not shift under every commit.
    """

    file: str
    begin: int
    end: int
    line: int
    old_line: str
    new_line: str
    new: str
    kind: str
    key: str

    def apply(self, text: str) -> str:
        """The file's text with the change."""
        return text[: self.begin] + self.new + text[self.end :]


def mutants_of(file: str, text: str) -> list[Mutant]:
    """Every change of a file; none of a kind of file that is not known."""
    find = _FINDERS.get(Path(file).suffix)
    if find is None:
        return []
    seen: Counter[str] = Counter()
    found = []
    for begin, end, new, kind in sorted(set(find(text))):
        changed = text[:begin] + new + text[end:]
        start = text.rfind("\n", 0, begin) + 1
        old_line, new_line = _line(text, start), _line(changed, start)
        name = f"{file}\n{old_line}\n{new_line}\n{kind}"
        seen[name] += 1
        key = hashlib.sha256(f"{name}\n{seen[name]}".encode()).hexdigest()[:16]
        found.append(Mutant(file, begin, end, text.count("\n", 0, begin) + 1, old_line, new_line, new, kind, key))
    return found


def _line(text: str, start: int) -> str:
    return text[start:].split("\n", 1)[0].strip()


# --- Python -------------------------------------------------------------------------------------------------------------------------


class _Python:
    """Changes of each kind of node."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def changes(self) -> Iterator[Change]:
        for node in _code(ast.parse(self.text)):
            for kinds, find in self._FINDERS:
                if isinstance(node, kinds):
                    yield from find(self, node)

    def _at(self, row: int, column: int) -> int:
        return self.starts[row - 1] + len(self.lines[row - 1].encode()[:column].decode())

    def _span(self, node: Any) -> tuple[int, int]:
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def _between(self, left: Any, right: Any, old: str, new: str, kind: str) -> Iterator[Change]:
        begin, end = self._span(left)[1], self._span(right)[0]
        word = r"\b" + old.replace(" ", r"\s+") + r"\b" if old[0].isalpha() else re.escape(old)
        if match := re.search(word, self.text[begin:end]):
            yield begin + match.start(), begin + match.end(), new, kind

    def _compare(self, node: Any) -> Iterator[Change]:
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            yield from self._between(left, right, *COMPARE[type(operator)], "comparison")

    def _binary(self, node: Any) -> Iterator[Change]:
        if type(node.op) in BINARY and not _is_text(node.left) and not _is_text(node.right):
            yield from self._between(node.left, node.right, *BINARY[type(node.op)], "operator")

    def _boolean(self, node: Any) -> Iterator[Change]:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from self._between(left, right, old, new, "boolean")

    def _unary(self, node: Any) -> Iterator[Change]:
        begin = self._span(node)[0]
        if isinstance(node.op, ast.Not):
            yield begin, self._span(node.operand)[0], "", "operator"
        elif isinstance(node.op, ast.USub):
            yield begin, begin + 1, "", "operator"

    def _value(self, node: Any) -> Iterator[Change]:
        yield from _constant(node.value, *self._span(node))

    def _test(self, node: Any) -> Iterator[Change]:
        begin, end = self._span(node.test)
        yield begin, end, f"not ({self.text[begin:end]})", "condition"

    def _return(self, node: Any) -> Iterator[Change]:
        """None for False is the same to all that ask for truth, and refused by the type check; its change is True."""
        if node.value is not None and ast.unparse(node.value) not in ("None", "False"):
            yield *self._span(node.value), "None", "return"

    def _statement(self, node: Any) -> Iterator[Change]:
        if not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call):
            yield *self._span(node), "pass", "statement"

    _FINDERS: tuple[tuple[Any, Callable[[_Python, Any], Iterator[Change]]], ...] = (
        (ast.Compare, _compare),
        (ast.BinOp, _binary),
        (ast.BoolOp, _boolean),
        (ast.UnaryOp, _unary),
        (ast.Constant, _value),
        ((ast.If, ast.While, ast.IfExp), _test),
        (ast.Return, _return),
        ((ast.AugAssign, ast.Raise, ast.Break, ast.Continue, ast.Expr), _statement),
    )


def _python(text: str) -> Iterator[Change]:
    return _Python(text).changes()


def _constant(value: object, begin: int, end: int) -> Iterator[Change]:
    if isinstance(value, bool):
        yield begin, end, str(not value), "boolean"
    elif isinstance(value, int):
        yield begin, end, str(value + 1), "constant"
    elif isinstance(value, float):
        yield begin, end, repr(value * 1.5 if value else 1.0), "constant"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes that are executed: no annotations, no blocks for type checkers, no parts of f-strings (their positions are not exact)."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _code(child)


# --- C ------------------------------------------------------------------------------------------------------------------------------

_C_SKIPPED = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|#\s*include[^\n]*', re.DOTALL)
_C_TOKEN = re.compile(
    r"(?<![\w.])(?P<number>0[xX][0-9a-fA-F]+|\d+)(?P<suffix>[uUlL]*)(?![\w.])|(?P<two>[<>=!]=|&&|\|\|)|(?<![<>-])(?P<one>[<>])(?![<>=])"
)
_C_OTHER = {"<": "<=", ">": ">=", "<=": "<", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&"}


def _c(text: str) -> Iterator[Change]:
    hidden = _C_SKIPPED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for match in _C_TOKEN.finditer(hidden):
        if match["number"]:
            number = match["number"]
            if number.lower().startswith("0x"):
                yield match.start(), match.end(), f"0x{int(number, 16) ^ 1:X}{match['suffix']}", "constant"
            else:
                yield (
                    match.start(),
                    match.end(),
                    f"{int(number, 8 if number[0] == '0' and len(number) > 1 else 10) + 1}{match['suffix']}",
                    "constant",
                )
        else:
            old = match["two"] or match["one"]
            yield match.start(), match.end(), _C_OTHER[old], "comparison"


# --- tables -------------------------------------------------------------------------------------------------------------------------


def changed_value(value: str) -> str:
    """A cell or scalar with one thing changed: a number times ten or plus one, a truth inverted, one letter or digit another."""
    if value in ("true", "false", "yes", "no", "True", "False"):
        return {"true": "false", "false": "true", "yes": "no", "no": "yes", "True": "False", "False": "True"}[value]
    if re.fullmatch(r"-?\d+", value):
        return str(int(value) + 1)
    if re.fullmatch(r"-?\d*\.\d+(?:[eE][-+]?\d+)?", value):
        return repr(float(value) * 10 or 0.5)
    for place in range(len(value) // 2, len(value)):
        letter = value[place]
        if letter.isalnum() and letter.isascii():
            other = {"9": "8", "z": "y", "Z": "Y", "f": "e", "F": "E"}.get(letter) or chr(ord(letter) + 1)
            return value[:place] + other + value[place + 1 :]
    return value + "x"


def _yaml(text: str) -> Iterator[Change]:
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    nodes: list[tuple[Any, str]] = [(root, "")]
    while nodes:
        node, key = nodes.pop()
        if key in TEXT_KEYS or node is None:
            continue
        if isinstance(node, yaml.MappingNode):
            nodes += [(value, str(name.value)) for name, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += [(value, "") for value in node.value]
        elif isinstance(node, yaml.ScalarNode) and (node.style or "") in ("", '"', "'"):
            begin, end = node.start_mark.index, node.end_mark.index
            quote = node.style or ""
            piece = text[begin + len(quote) : end - len(quote)]
            if piece and "\n" not in piece:
                yield begin + len(quote), begin + len(quote) + len(piece), changed_value(piece), "value"


def _json(text: str) -> Iterator[Change]:
    json.loads(text)  # else it would be read as YAML
    yield from _yaml(text)


def _table(delimiter: str) -> Callable[[str], Iterator[Change]]:
    def find(text: str) -> Iterator[Change]:
        begin = text.find("\n") + 1
        first = text[:begin]
        if not re.search(r"[a-z]{3}", first) or ".bin" in first:  # without a head
            begin = 0
        for line in text[begin:].splitlines(keepends=True):
            bare = line.rstrip("\r\n")
            row = next(csv.reader([bare], delimiter=delimiter), [])
            for place, cell in enumerate(row):
                if cell:
                    changed = io.StringIO()
                    csv.writer(changed, delimiter=delimiter, lineterminator="").writerow(
                        [*row[:place], changed_value(cell), *row[place + 1 :]]
                    )
                    yield begin, begin + len(bare), changed.getvalue(), "value"
            begin += len(line)

    return find


_FINDERS: dict[str, Callable[[str], Iterator[Change]]] = {
    ".py": _python, ".c": _c, ".h": _c, ".yaml": _yaml, ".json": _json, ".csv": _table(","), ".tsv": _table("\t"),
}  # fmt: skip
TABLES = (".yaml", ".json", ".csv", ".tsv")
