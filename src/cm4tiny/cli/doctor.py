# SPDX-License-Identifier: Apache-2.0
"""``cm4tiny doctor``: what is wrong with a bench."""

from __future__ import annotations

import sys

import click

from cm4tiny.cli.commands import Command, simple
from cm4tiny.cli.group import VERBS
from cm4tiny.cli.output import VerbResult
from cm4tiny.cli.parameters import InputType, WordType, option
from cm4tiny.errors import BenchError
from cm4tiny.resolver.language.inputs import Input

_BOARD = "Board"
_BAUD = Input("baud", "", "count", "speed of the serial line", minimum=1200, maximum=4_000_000)


def command(name: str) -> Command:
    """The command."""
    params: list[click.Parameter] = [
        option("board", _BOARD, help="what is looked at", default="NUCLEO", type=WordType("board", ("NUCLEO", "virtual"), "board")),
        option("port", _BOARD, help="serial port of the board, or socket://HOST:PORT", default="found by USB"),
        option("probe", _BOARD, help="serial number of the ST-LINK, or its end", default="the only one"),
        option("baud", _BOARD, help="speed that a run would use", default="115200", type=InputType(_BAUD)),
        option(
            "expect",
            _BOARD,
            help="the image that should be on the board",
            default="any",
            type=WordType("image", ("any", "performance", "energy"), "expect"),
        ),
        option("rules", _BOARD, help="show the udev rules for probes and instruments", is_flag=True),
        option("install_rules", _BOARD, help="write these rules, as root", is_flag=True),
    ]
    examples = ("cm4tiny doctor", "cm4tiny doctor --port /dev/ttyACM0 --expect energy --baud 9600", "cm4tiny doctor --json")
    return simple(
        name, f"{VERBS[name][1]}\n\nThe same as: cm run script --tags=doctor,mlperf,tiny", examine_bench, params, examples=examples
    )


def examine_bench(
    board: str | None,
    port: str | None,
    probe: str | None,
    baud: str | None,
    expect: str | None,
    rules: bool,
    install_rules: bool,
) -> VerbResult:
    """Carries out the checks; the result for ``--json`` is the content of ``doctor.json``.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.workflows.doctor_mlperf_tiny.examine`.
    """
    from pathlib import Path

    from cm4tiny.console import watch
    from cm4tiny.workflows.doctor_mlperf_tiny import DoctorOptions, examine

    options = DoctorOptions(
        outdirname=Path(),
        port=port or "",
        probe=probe or "",
        baud=int(baud or 115200),
        expect=expect or "any",
        rules=rules,
        install_rules=install_rules,
        board="",
        kind=board or "NUCLEO",
    )
    with watch(sys.stderr) as events:
        diagnosis, text = examine(options, events)
    try:
        diagnosis.need()
    except BenchError as error:
        return VerbResult({"doctor": diagnosis.as_json()}, text, error)
    return VerbResult({"doctor": diagnosis.as_json()}, text)
