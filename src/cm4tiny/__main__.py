"""``python -m cm4tiny``: what is useful without CM. The front door is ``cm run script --tags=reproduce,mlperf,tiny``."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import cm4tiny
from cm4tiny.errors import Cm4TinyError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cm4tiny", description=cm4tiny.__doc__)
    parser.add_argument("--version", action="version", version=f"cm4tiny {cm4tiny.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    board = commands.add_parser(
        "virtual-board", help="boot an image (.elf, .hex, .bin) on a virtual NUCLEO-L4R5ZI and serve its serial port until interrupted"
    )
    board.add_argument("elf", type=Path, metavar="FILE")
    board.add_argument("--baud", type=int, default=None, help="time the serial link as a real one of this speed (default: no link delay)")
    board.add_argument("--port", type=int, default=0, help="TCP port on the loopback interface (default: any free one)")
    board.set_defaults(run=_virtual_board)
    return parser


def _virtual_board(options: argparse.Namespace) -> None:
    from cm4tiny.boards.virtual import VirtualBoard
    from cm4tiny.boards.virtual.server import Addresses, serve

    def announce(addresses: Addresses) -> None:
        print(f"serial port: {addresses.pty}")
        print(f"TCP:         {addresses.tcp}")
        print("running; Ctrl-C ends it", flush=True)

    board = VirtualBoard(options.elf, baud=options.baud)
    try:
        serve(board, tcp_port=options.port, stop=threading.Event(), on_ready=announce)
    finally:
        board.close()


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
