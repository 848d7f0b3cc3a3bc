# SPDX-License-Identifier: Apache-2.0
"""``cm4tiny virtual-board``: an image on the virtual board, for any serial program."""

from __future__ import annotations

import json as json_module
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from cm4tiny.boards.virtual.server import Addresses
from cm4tiny.cli.commands import Command, json_option
from cm4tiny.cli.group import VERBS
from cm4tiny.cli.parameters import OTHER, InputType, option
from cm4tiny.errors import UsageError
from cm4tiny.events import Event, EventStream, Message
from cm4tiny.resolver.language.inputs import Input

_IMAGE = Input("elf", "", "file", "an image (.elf, .hex, .bin)")
_BAUD = Input("baud", "", "count", "speed of the serial link", maximum=100_000_000)
_BOARD = Input("board", "", "", "a board by its name")
_PORT = Input("port", "", "count", "TCP port", minimum=0, maximum=65535)


def command(name: str) -> Command:
    """The command."""
    params: list[click.Parameter] = [
        click.Argument(["elf"], metavar="FILE", type=InputType(_IMAGE)),
        option("board", OTHER, help="whose chip runs it, a name of cm4tiny boards", default="the first of them", type=InputType(_BOARD)),
        option("baud", OTHER, help="time the serial link as a real one of this speed", default="bytes take no time", type=InputType(_BAUD)),
        option("port", OTHER, help="TCP port on the loopback interface", default="any free one", type=InputType(_PORT)),
        option("no_strict", OTHER, help="where the chip would not run the firmware, continue with a note", is_flag=True),
        option("full_windows", OTHER, help="execute every inference, also those proven periodic", is_flag=True),
        json_option(),
    ]
    return Command(
        name,
        callback=serve_image,
        params=params,
        help=VERBS[name][1],
        argument=("FILE", _IMAGE.desc),
        examples=(
            "cm4tiny virtual-board firmware.elf",
            "cm4tiny virtual-board firmware.elf --baud 115200 --port 5000",
            "cm4tiny virtual-board m33_kws.bin --board NUCLEO-U575ZI-Q --no_strict",
        ),
    )


def serve_image(elf: str, board: str | None, baud: str | None, port: str | None, no_strict: bool, full_windows: bool, json: bool) -> None:
    """Serves until interrupted; with ``json`` the two addresses are printed as one object when they are ready."""
    from cm4tiny.boards.boards import find_board
    from cm4tiny.boards.virtual import VirtualBoard
    from cm4tiny.boards.virtual.server import serve

    stop = threading.Event()
    events = EventStream(_show_note)
    if baud is not None and not int(baud):
        raise UsageError("--baud=0 is not a speed", hint="give bits per second, or leave it out")
    virtual = VirtualBoard(
        Path(elf),
        baud=int(baud) if baud else None,
        board=find_board(board or ""),
        strict=not no_strict,
        full_windows=full_windows,
        events=events,
    )
    try:
        with _interrupt_sets(stop):
            serve(virtual, tcp_port=int(port or 0), stop=stop, on_ready=_as_json if json else _announce, events=events)
    finally:
        virtual.close()
    if stop.is_set():
        raise KeyboardInterrupt


def _announce(addresses: Addresses) -> None:
    sys.stdout.write(f"serial port: {addresses.pty}\nTCP:         {addresses.tcp}\nrunning; Ctrl-C ends it\n")
    sys.stdout.flush()


def _as_json(addresses: Addresses) -> None:
    from cm4tiny.cli.output import VerbResult, as_json

    told: dict[str, Any] = {"pty": addresses.pty, "tcp": addresses.tcp}
    sys.stdout.write(json_module.dumps(json_module.loads(as_json("virtual-board", VerbResult(told)))) + "\n")
    sys.stdout.flush()


def _show_note(event: Event) -> None:
    if isinstance(event, Message):
        sys.stderr.write(f"note: {event.text}\n")
        sys.stderr.flush()


@contextmanager
def _interrupt_sets(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C sets an event: as an exception inside one of the emulator's callbacks it would be printed by ctypes and lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda _number, _frame: stop.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
