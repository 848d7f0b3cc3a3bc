# SPDX-License-Identifier: Apache-2.0
"""``python -m cm4tiny``: what is useful without CM. The front door is ``cm run script --tags=reproduce,mlperf,tiny``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cm4tiny
from cm4tiny.errors import Cm4TinyError
from cm4tiny.events import Event, EventStream, Message


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cm4tiny", description=cm4tiny.__doc__)
    parser.add_argument("--version", action="version", version=f"cm4tiny {cm4tiny.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    board = commands.add_parser(
        "virtual-board", help="boot an image (.elf, .hex, .bin) on the virtual board and serve its serial port until interrupted"
    )
    board.add_argument("elf", type=Path, metavar="FILE")
    board.add_argument("--baud", type=int, default=None, help="time the serial link as a real one of this speed (default: no link delay)")
    board.add_argument("--port", type=int, default=0, help="TCP port on the loopback interface (default: any free one)")
    board.add_argument(
        "--no_strict", "--no-strict", action="store_true", help="where the chip would not run the firmware, continue with a note"
    )
    board.set_defaults(run=_virtual_board)
    return parser


def _virtual_board(options: argparse.Namespace) -> None:
    from cm4tiny.boards.virtual import VirtualBoard
    from cm4tiny.boards.virtual.server import Addresses, serve

    def announce(addresses: Addresses) -> None:
        print(f"serial port: {addresses.pty}")
        print(f"TCP:         {addresses.tcp}")
        print("running; Ctrl-C ends it", flush=True)

    stop = threading.Event()
    events = EventStream(_say_note)
    board = VirtualBoard(options.elf, baud=options.baud, strict=not options.no_strict, events=events)
    try:
        with _interrupt_sets(stop):
            serve(board, tcp_port=options.port, stop=stop, on_ready=announce, events=events)
    finally:
        board.close()
    if stop.is_set():
        raise KeyboardInterrupt


def _say_note(event: Event) -> None:
    if isinstance(event, Message):
        print(f"note: {event.text}", file=sys.stderr, flush=True)


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status (0 good, 1 error, 2 usage, 130 interrupted)."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except Cm4TinyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
