# SPDX-License-Identifier: Apache-2.0
"""System descriptions: the hardware from a table of boards, the rest from answers, each field once.

The fields are those of the template that rounds v0.5 to v1.3 use. The template itself has five of them twice, and one with a blank at its
end; both cost published descriptions their contents (docs/audit.md). Here every field occurs once, in the template's order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from cm4tiny.boards.boards import all_boards
from cm4tiny.errors import AssetError, UsageError, nearest

_TABLE = Path(__file__).with_name("boards.yaml")
_SCHEMA = Path(__file__).with_name("boards.schema.json")

FIELDS = (
    "Submitter",
    "Division",
    "Status",
    "Board Name",
    "Board Memory capacity (not including SoC, processor, or accelerator)",
    "Board Memory type",
    "Board storage capacity",
    "Board storage type",
    "SoC Name",
    "SoC Memory capacity (not including processor or accelerator)",
    "SoC Memory type",
    "SoC storage capacity",
    "SoC storage type",
    "Processor(s) Name",
    "Processor(s) Frequencies",
    "Processor memory type and capacity",
    "Processor storage type and capacity",
    "Accelerator",
    "Accelerator(s) Frequencies",
    "Accelerator memory type and capacity",
    "Accelerator storage type and capacity",
    "Hardware Notes",
    "Inference Framework",
    "Software Libraries",
    "Operating System",
    "Other Software Stack",
    "Software Notes",
    "Quantization Method",
    "Training framework (open division)",
    "ML Model Compiler(s)",
    "General Compiler(s)",
    "Other Software",
    "Training and Quantization Notes",
)


@dataclass(frozen=True)
class SubmissionBoard:
    """A board: the template's hardware fields and where they come from."""

    id: str
    source: str
    fields: Mapping[str, str]


@cache
def boards(path: Path = _TABLE) -> Mapping[str, SubmissionBoard]:
    """The boards by id: those that are described for this project's own use, then those of the table.

    Raises:
        AssetError: the table is damaged, or has a field that the template has not.
    """
    described = {
        board.submission.id: {"source": board.submission.source, "fields": board.submission.fields}
        for board in all_boards()
        if board.submission is not None
    }
    try:
        table: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        jsonschema.validate(table, json.loads(_SCHEMA.read_text(encoding="utf-8")))
        rows = {**described, **table["boards"]}
        unknown = {field for row in rows.values() for field in row["fields"]} - set(FIELDS)
        if unknown:
            raise ValueError(f"no field of the template: {', '.join(sorted(unknown))}")
    except (OSError, ValueError, yaml.YAMLError, jsonschema.ValidationError) as error:
        why = str(error).splitlines()[0]
        raise AssetError(f"the table of boards {path.name} cannot be used", why=why, hint="restore the file") from error
    return {name: SubmissionBoard(name, row["source"], dict(row["fields"])) for name, row in rows.items()}


def get_board(name: str) -> SubmissionBoard:
    """A row of the table; UsageError suggests the nearest."""
    table = boards()
    if name not in table:
        why = f"the table has {', '.join(table)}"
        hint = nearest(name, table) or "leave the board out and give all hardware fields in the answers' description"
        raise UsageError(f"there is no board '{name}' in the table", why=why, hint=hint)
    return table[name]


def describe(
    submitter: str, division: str, status: str, board: str, answers: Mapping[str, str], derived: Mapping[str, str]
) -> dict[str, str]:
    """A complete description, every field of the template once, blank where nothing is known.

    Args:
        board: a row of the table, or empty.
        answers: fields that the submitter gave; they win.
        derived: fields that follow from the sessions (framework, compiler).

    Raises:
        UsageError: an answer names a field that the template has not, or one that is given elsewhere.
    """
    for field in answers:
        if field.strip() not in FIELDS:
            raise UsageError(
                f"'{field}' is not a field of a system description", hint=nearest(field, FIELDS) or "docs/submit.md lists the fields"
            )
        if field.strip() in FIELDS[:3]:
            raise UsageError(f"'{field}' is not part of the description", hint="give submitter, division and status next to it")
    fixed = {"Submitter": submitter, "Division": division, "Status": status}
    values = dict(derived)
    values.update(get_board(board).fields if board else {})
    values.update({field.strip(): text for field, text in answers.items()})
    return {field: fixed.get(field, values.get(field, "")) for field in FIELDS}


def as_text(description: Mapping[str, str]) -> str:
    """The description as a file."""
    return json.dumps(description, indent=1, ensure_ascii=False) + "\n"
