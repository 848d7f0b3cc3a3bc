# SPDX-License-Identifier: Apache-2.0
"""The step ``doctor,mlperf,tiny``: what is wrong with a bench, one hint for each finding."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.boards.boards import find_board
from cm4tiny.boards.catalogue import NUCLEO
from cm4tiny.cm import Outputs, Step, flag, value
from cm4tiny.doctor.checks import BenchQuestion
from cm4tiny.doctor.diagnose import DoctorRequest, diagnose
from cm4tiny.doctor.finding import Diagnosis
from cm4tiny.doctor.udev import all_rules, install_rules
from cm4tiny.errors import UsageError, nearest
from cm4tiny.events import EventStream
from cm4tiny.files import write_atomically
from cm4tiny.runner.session import file_errors

DOCTOR_JSON = "doctor.json"
EXPECTED = ("any", "performance", "energy")


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """What ``doctor,mlperf,tiny`` is asked for."""

    outdirname: Path = flag("CM_TINY_OUTDIR", default=".")
    port: str = flag("CM_TINY_PORT")
    probe: str = flag("CM_TINY_PROBE")
    baud: int = flag("CM_TINY_BAUD", default=115200, limits=(1200, 4_000_000))
    expect: str = flag("CM_TINY_DOCTOR_EXPECT", default="any")
    rules: bool = flag("CM_TINY_DOCTOR_RULES")
    install_rules: bool = flag("CM_TINY_DOCTOR_INSTALL_RULES")
    board: str = value("CM_TINY_BOARD")
    kind: str = value("CM_TINY_BOARD_KIND", default=NUCLEO)


def doctor_request(options: DoctorOptions) -> DoctorRequest:
    """What to examine.

    Raises:
        UsageError: an unknown board or image.
    """
    if options.expect not in EXPECTED:
        hint = nearest(options.expect, EXPECTED) or f"use one of {', '.join(EXPECTED)}"
        raise UsageError(f"--expect={options.expect} is not a kind of image", hint=hint)
    find_board(options.board)
    expect = "" if options.expect == "any" else options.expect
    return DoctorRequest(
        BenchQuestion(options.board, options.port, options.probe),
        options.baud,
        expect,
        hardware=options.kind == NUCLEO or bool(options.port),
    )


def check_doctor(options: DoctorOptions, step: Step) -> None:
    """Checks what is asked for; raises as :func:`doctor_request`."""
    doctor_request(options)


def examine(options: DoctorOptions, events: EventStream) -> tuple[Diagnosis, str]:
    """The diagnosis, and its text with what was done about the udev rules.

    Raises:
        BoardError: the rules were to be installed, and cannot be.
    """
    request = doctor_request(options)
    installed = install_rules() if options.install_rules else ""
    diagnosis = diagnose(request, events=events)
    rules = f"udev rules (--install-rules writes them):\n{all_rules().rstrip()}" if options.rules else ""
    return diagnosis, "\n\n".join(part for part in (diagnosis.text, rules, installed) if part)


def doctor_step(options: DoctorOptions, step: Step) -> Outputs:
    """Examines the bench, writes ``doctor.json`` and shows what was found.

    Raises:
        BenchError: something stops a run. BoardError: as :func:`examine`. ResultsError: the folder cannot be written.
    """
    diagnosis, text = examine(options, step.events)
    file = options.outdirname / DOCTOR_JSON
    with file_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(diagnosis.as_json(), indent=1, ensure_ascii=False) + "\n")
    step.show(f"\n{text}\n\nDiagnosis: {file}")
    diagnosis.need()
    return {"CM_TINY_DOCTOR_JSON": file}
