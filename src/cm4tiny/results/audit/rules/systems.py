# SPDX-License-Identifier: Apache-2.0
"""Rules on the descriptions of systems."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cm4tiny.results.audit.rule import Violation, rule
from cm4tiny.results.audit.views import SystemView, some

_CHECKER = "submission_checker.py, check_results_dir"
_TEMPLATE = "the template of system descriptions, as rounds v0.5 to v1.3 use it"
STATUSES = ("available", "preview", "rdi")
REQUIRED = ("Submitter", "Division", "Status", "Board Name", "Processor(s) Name", "Processor(s) Frequencies", "Inference Framework")
"""Fields that must say something: who, what, how fast, with what."""

ADVISED = ("SoC Name", "Software Libraries", "General Compiler(s)", "Quantization Method")


def _raw(view: SystemView) -> str:
    if view.json is None or view.json.stat().st_size > 1_000_000:
        return ""
    return view.json.read_text(encoding="utf-8", errors="replace")


def is_utf_8(path: Path) -> bool:
    """True if a description (of at most 1 MB) is text in UTF-8."""
    if path.stat().st_size > 1_000_000:
        return True
    try:
        path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _strict(view: SystemView) -> Any:
    """The description as an ordinary parser reads it; an error if that cannot read it."""
    return json.loads(_raw(view))


@rule(
    "system.description",
    "Each system has a description",
    severity="error",
    scope="system",
    source=f"{_CHECKER}: no system_desc; MLPerfTiny_Rules.adoc, Reproducibility and Availability",
    why="A result without a system cannot be compared with anything.",
    warning_before=(1, 3),
)
def description(view: SystemView) -> Iterator[Violation]:
    if view.json is None:
        yield Violation(view.path, "no description below systems/")


@rule(
    "system.file-name",
    "A description is systems/NAME.json, NAME being the folder of the results",
    severity="error",
    scope="system",
    source=f"{_CHECKER}: no system_desc; directory_structure.adoc",
    why="The official checker looks for nothing else, and refuses all results of the system.",
    warning_before=(1, 3),
)
def file_name(view: SystemView) -> Iterator[Violation]:
    if view.json is not None and view.results:
        expected = f"{view.submitter.path}/systems/{view.name}.json"
        if view.path != expected:
            yield Violation(view.path, f"the results' folder asks for {expected.rsplit('/systems/', 1)[1]}")


@rule(
    "system.without-results",
    "Each description belongs to results",
    severity="warning",
    scope="system",
    source="directory_structure.adoc: one file for each system benchmarked",
    why="Results were forgotten, or a name is misspelt.",
    since=(1, 3),
    whole=True,
)
def without_results(view: SystemView) -> Iterator[Violation]:
    if view.json is not None and not view.results:
        yield Violation(view.path, "no results belong to it")


@rule(
    "system.json",
    "A description is valid JSON",
    severity="error",
    scope="system",
    source="submission_checker.py crashes; "
    "tiny_results_v1.0: closed/OctoML/systems/system_description_NUCLEO_L4R5ZI_microtvm_cmsis_nn.json",
    why="The official checker ends with a traceback and says nothing of any other submission.",
)
def valid_json(view: SystemView) -> Iterator[Violation]:
    if view.json is None:
        return
    if not is_utf_8(view.json):
        yield Violation(view.path, "not encoded in UTF-8: the official checker crashes on it")
    try:
        document = _strict(view)
    except (ValueError, RecursionError) as error:
        yield Violation(view.path, f"no valid JSON: {str(error)[:160]}")
        return
    if not isinstance(document, dict):
        yield Violation(view.path, "not an object")


@rule(
    "system.duplicate-key",
    "No key occurs twice",
    severity="warning",
    scope="system",
    source="the template of system descriptions has had keys twice; "
    "tiny_results_v1.1: closed/STMicroelectronics/systems/NUCLEO_L4R5ZI.json",
    why=(
        "JSON parsers keep the last value: where that is empty, what the submitter filled in is lost, and the published tables "
        "show nothing. This project keeps the first value that is not empty."
    ),
)
def duplicate_key(view: SystemView) -> Iterator[Violation]:
    if view.json is None:
        return
    doubled: dict[str, list[Any]] = {}

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, list[Any]] = {}
        for key, value in items:
            seen.setdefault(key, []).append(value)
        doubled.update({key: values for key, values in seen.items() if len(values) > 1})
        return dict(items)

    try:
        json.loads(_raw(view), object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return
    lost = [key for key, values in doubled.items() if not _text(values[-1]) and any(_text(value) for value in values)]
    if lost:
        yield Violation(view.path, f"filled in and lost to an empty second value: {some(lost)}")
    elif doubled:
        yield Violation(view.path, f"twice: {some(doubled)}")


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ("" if value in (None, {}, []) else str(value))


@rule(
    "system.status",
    "Status is available, preview or rdi",
    severity="error",
    scope="system",
    source=f"{_CHECKER}: has invalid status; MLPerfTiny_Rules.adoc, Reproducibility and Availability",
    why="The official checker refuses the system, and crashes if the field is missing.",
)
def status(view: SystemView) -> Iterator[Violation]:
    if view.json is None or not view.values:
        return
    value = view.values.get("Status")
    if not isinstance(value, str) or value.strip().lower() not in STATUSES:
        yield Violation(view.path, f"Status is {value!r}" if "Status" in view.values else "no Status")


@rule(
    "system.type",
    "No key system_type",
    severity="error",
    scope="system",
    source="submission_checker.py, Config.set_type: invalid system type",
    why="A key of MLPerf Inference's descriptions; the official checker crashes on it.",
    since=(1, 3),
)
def system_type(view: SystemView) -> Iterator[Violation]:
    if view.values.get("system_type") is not None:
        yield Violation(view.path, "it has a key system_type")


@rule(
    "system.incomplete",
    "A description says who, on what, how fast and with which software",
    severity="error",
    scope="system",
    source=f"{_TEMPLATE}; MLPerfTiny_Rules.adoc, Reproducibility and Availability",
    why="The official checker asks for the status only; tables then show blanks.",
    warning_before=(1, 4),
)
def incomplete(view: SystemView) -> Iterator[Violation]:
    if view.json is None or not view.values:
        return
    values = {key.strip(): _text(value) for key, value in view.values.items()}
    empty = [key for key in REQUIRED if not values.get(key)]
    if empty:
        yield Violation(view.path, f"empty: {some(empty, 8)}")


@rule(
    "system.sparse",
    "A description names chip, libraries, compiler and quantisation",
    severity="note",
    scope="system",
    source=_TEMPLATE,
    why="Without them nobody can build the same.",
)
def sparse(view: SystemView) -> Iterator[Violation]:
    if view.json is None or not view.values:
        return
    values = {key.strip(): _text(value) for key, value in view.values.items()}
    empty = [key for key in ADVISED if not values.get(key)]
    if empty:
        yield Violation(view.path, f"empty: {some(empty, 8)}")


@rule(
    "system.place",
    "A description names the division that its folder is in",
    severity="error",
    scope="system",
    source=_TEMPLATE,
    why="A description copied from another submission.",
    warning_before=(1, 4),
)
def place(view: SystemView) -> Iterator[Violation]:
    value = _text(view.values.get("Division"))
    if value and value.lower() != view.submitter.division:
        yield Violation(view.path, f"Division is {value!r}, the folder is {view.submitter.division}")


_WORD = re.compile(r"[a-z0-9]+")


@rule(
    "system.submitter",
    "A description names the organisation that its folder is called after",
    severity="error",
    scope="system",
    source="directory_structure.adoc: DIVISION/SUBMITTER; the template's field Submitter",
    why="A description copied from another organisation; three of v1.2 are. A longer name with the folder's words in it is accepted.",
    warning_before=(1, 4),
)
def submitter(view: SystemView) -> Iterator[Violation]:
    value = _text(view.values.get("Submitter"))
    words, folder = (_WORD.findall(text.lower()) for text in (value, view.submitter.name))
    if value and not set(folder) <= set(words) and "".join(words) != "".join(folder):
        yield Violation(view.path, f"Submitter is {value!r}, the folder is {view.submitter.name}")
