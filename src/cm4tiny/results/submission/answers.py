# SPDX-License-Identifier: Apache-2.0
"""What a submitter has to say: a YAML file with any number of systems, or options for one (schema: ``answers.schema.json``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from cm4tiny.errors import UsageError

_SCHEMA = Path(__file__).with_name("answers.schema.json")
_MAX_BYTES = 1_000_000
ROUNDS = ("v1.3", "v1.4")
DIVISIONS = ("closed", "open")


@dataclass(frozen=True)
class SystemAnswers:
    """One system.

    Attributes:
        name: folder of its results and name of its description.
        board: row of the table of boards, or empty.
        status: ``available``, ``preview`` or ``rdi``.
        sessions: outcomes of runs, or folders of sessions.
        code: folder of the code that was run; None: found by the firmware's hash.
        implementation: name of the folder below ``code/BENCHMARK``.
        description: fields of the description.
    """

    name: str
    board: str
    status: str
    sessions: tuple[Path, ...]
    code: Path | None = None
    implementation: str = ""
    description: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answers:
    """A submission: one organisation in one division.

    ``models`` names the model file of a benchmark where it cannot be found by its hash.
    """

    submitter: str
    systems: tuple[SystemAnswers, ...]
    division: str = "closed"
    round: str = "v1.4"
    checklist: Path | None = None
    energy_set_up: Path | None = None
    models: Mapping[str, Path] = field(default_factory=dict)


def read_answers(path: Path) -> Answers:
    """Reads and checks a file of answers; relative paths count from its folder.

    Raises:
        UsageError: it is missing, not YAML, or breaks the schema; says where.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"it is larger than {_MAX_BYTES} bytes")
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UsageError(
            f"the answers {path} cannot be read", why=str(error).splitlines()[0], hint="docs/submit.md shows an example"
        ) from error
    return parse_answers(document, path.parent, str(path))


def parse_answers(document: Any, folder: Path, name: str) -> Answers:
    """Answers from an object of the schema; errors as :func:`read_answers`."""
    problem = next(iter(jsonschema.Draft202012Validator(json.loads(_SCHEMA.read_text(encoding="utf-8"))).iter_errors(document)), None)
    if problem is not None:
        raise UsageError(
            f"{name} is not complete", why=f"at {problem.json_path}: {problem.message[:300]}", hint="docs/submit.md shows an example"
        )
    systems = tuple(_system(row, folder) for row in document["systems"])
    names = [system.name.lower() for system in systems]
    twice = sorted({system for system in names if names.count(system) > 1})
    if twice:
        raise UsageError(f"two systems are called {twice[0]}", hint="give each system a name of its own")
    return Answers(
        submitter=document["submitter"],
        systems=systems,
        division=document.get("division", "closed"),
        round=document.get("round", "v1.4"),
        checklist=_path(document, "checklist", folder),
        energy_set_up=_path(document, "energy_set_up", folder),
        models={benchmark: folder / model for benchmark, model in document.get("models", {}).items()},
    )


def _system(row: Mapping[str, Any], folder: Path) -> SystemAnswers:
    return SystemAnswers(
        name=row["name"],
        board=row.get("board", ""),
        status=row.get("status", "available"),
        sessions=tuple(folder / session for session in row["sessions"]),
        code=_path(row, "code", folder),
        implementation=row.get("implementation", row["name"]),
        description=row.get("description", {}),
    )


def _path(row: Mapping[str, Any], key: str, folder: Path) -> Path | None:
    return folder / row[key] if row.get(key) else None


def from_options(options: Mapping[str, str]) -> dict[str, Any]:
    """Options of the step as a document of the schema: one system.

    Args:
        options: ``submitter``, ``division``, ``round``, ``system``, ``board``, ``status``, ``sessions`` (comma between them), ``code``,
            ``implementation``, ``checklist``, ``energy_set_up``, ``framework``, ``notes``; empty ones are left out.
    """
    given = {key: value.strip() for key, value in options.items() if value.strip()}
    fields = {"framework": "Inference Framework", "notes": "Hardware Notes"}
    system: dict[str, Any] = {key: given[key] for key in ("board", "status", "code", "implementation") if key in given}
    system["name"] = given.get("system") or given.get("board", "")
    system["sessions"] = [part.strip() for part in given.get("sessions", "").split(",") if part.strip()]
    system["description"] = {field: given[key] for key, field in fields.items() if key in given}
    document: dict[str, Any] = {key: given[key] for key in ("submitter", "division", "round", "checklist", "energy_set_up") if key in given}
    return document | {"systems": [system]}
