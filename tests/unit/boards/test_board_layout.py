# SPDX-License-Identifier: Apache-2.0
"""C and Python mean the same structures: sizes and version are compared at load, names and types here."""

from __future__ import annotations

import ctypes
import re

import pytest

from cm4tiny.boards.virtual import accesses, build, layout, machine, native
from cm4tiny.errors import BoardError

_TYPES = {
    "uint8_t": ctypes.c_uint8,
    "uint16_t": ctypes.c_uint16,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64,
    "struct trace_cost": layout.CostStruct,
    "struct block_access": layout.BlockAccessStruct,
}
_COUNTS = {"MAX_ACCESSES": accesses.MOST_ACCESSES}


def in_c(name: str) -> list[tuple[str, object]]:
    """Fields of a structure by the headers: (name, type), with the name as Python has it."""
    text = re.sub(r"/\*.*?\*/", "", "".join(path.read_text() for path in build.source_files() if path.suffix == ".h"), flags=re.DOTALL)
    found = re.search(rf"^struct {name} {{(.*?)}};", text, re.MULTILINE | re.DOTALL)
    assert found, name
    fields: list[tuple[str, object]] = []
    for declaration in filter(None, (part.strip() for part in found[1].split(";"))):
        parsed = re.fullmatch(r"((?:struct )?\w+) (.*)", declaration, re.DOTALL)
        assert parsed, declaration
        for entry in parsed[2].split(","):
            word, _, count = entry.strip().rstrip("]").partition("[")
            fields.append(
                (
                    word.removesuffix("_cycles") if name == "timing_constants" else word,
                    _TYPES[parsed[1]] * (_COUNTS.get(count) or int(count or 1)),
                )
            )
    return fields


def in_python(structure: type[ctypes.Structure]) -> list[tuple[str, object]]:
    plain = set(_TYPES.values())
    return [(field[0], field[1] * 1 if field[1] in plain else field[1]) for field in structure._fields_]


@pytest.mark.parametrize("name", sorted(layout.SHARED))
def test_every_shared_structure_has_the_same_fields_in_both_languages(name: str) -> None:
    assert in_c(name) == in_python(layout.SHARED[name])


def load() -> object:
    return native.load_library.__wrapped__(build.native_library())


def test_a_structure_of_another_size_is_refused_when_the_library_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Liar(ctypes.Structure):
        _fields_ = [*layout.NoteStruct._fields_, ("more", ctypes.c_uint32)]

    monkeypatch.setitem(layout.SHARED, "note", Liar)
    with pytest.raises(BoardError, match="does not belong to this version") as caught:
        load()
    assert "'note' has 12 bytes, this package's has 16" in caught.value.why and "install cm4tiny again" in caught.value.hint


def test_a_structure_that_the_library_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(layout.SHARED, "notes", layout.NoteStruct)
    with pytest.raises(BoardError, match="does not belong") as caught:
        load()
    assert "'notes' has 0 bytes" in caught.value.why


def test_a_layout_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LAYOUT_VERSION", layout.LAYOUT_VERSION + 1)
    with pytest.raises(BoardError, match="does not belong") as caught:
        load()
    assert f"version {layout.LAYOUT_VERSION - 1}, this package's have version {layout.LAYOUT_VERSION}" in caught.value.why


def test_the_marks_of_an_access_are_the_same_in_both_languages() -> None:
    text = "".join(path.read_text() for path in build.source_files() if path.suffix == ".h")
    marks = re.search(r"enum { (ACCESS_READ[^}]*) };", text)
    assert marks
    in_header = {name.removeprefix("ACCESS_"): int(value) for name, value in re.findall(r"(\w+) = (\d+)", marks[1])}
    assert in_header == {flag.name: flag.value for flag in accesses.AccessFlag}
    most = re.search(r"#define MAX_ACCESSES (\d+)u", text)
    assert most and int(most[1]) == accesses.MOST_ACCESSES


def headers() -> str:
    return re.sub(r"/\*.*?\*/", "", "".join(path.read_text() for path in build.source_files() if path.suffix == ".h"), flags=re.DOTALL)


def enum_in_c(name: str) -> dict[str, int]:
    found = re.search(rf"^enum {name} {{([^}}]*)}};", headers(), re.MULTILINE)
    assert found, name
    values: dict[str, int] = {}
    for entry in found[1].split(","):
        word, _, value = (part.strip() for part in entry.partition("="))
        values[word] = int(value) if value else max(values.values(), default=-1) + 1
    return values


ENUMS = {"stop_reason": machine.StopReason, "fault_kind": machine.FaultKind, "note_kind": machine.NoteKind, "span_kind": machine.SpanKind}


@pytest.mark.parametrize("name", ENUMS)
def test_numbers_mean_the_same_in_both_languages(name: str) -> None:
    in_header = {word.partition("_")[2]: value for word, value in enum_in_c(name).items()}
    assert {member.name: member.value for member in ENUMS[name]}.items() <= in_header.items()
    assert set(in_header) - {member.name for member in ENUMS[name]} <= {"KINDS"}, "every number that the core gives has a name"


@pytest.mark.parametrize("name", ["MAX_CLOCK_CHANGES", "MAX_SETTING_CHANGES", "MAX_SPANS"])
def test_limits_of_lists_are_those_of_the_core(name: str) -> None:
    found = re.search(rf"#define {name} \(1u << (\d+)\)", headers())
    assert found and getattr(machine, name) == 1 << int(found[1])
