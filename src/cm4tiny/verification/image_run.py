# SPDX-License-Identifier: Apache-2.0
"""Runs a linked firmware image on the virtual board and reads its tensors byte by byte.

The image is asked over its serial line, as a host program would ask it: load, infer, results. Printed results have three digits, so the
output is also read from the board's RAM, where the harness keeps it (``model_output`` of firmware/harness/tensor.c), and so is the input,
which proves that what was inferred is what was sent. The first input is sent in hexadecimal; the others are put where the harness would
have put them, because the transfer would take longer than all inferences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cm4tiny.benchmarks import Benchmark
from cm4tiny.boards import VirtualBoard  # not in a key: what executes an image does not shape it
from cm4tiny.boards.boards import BoardDescription
from cm4tiny.boards.commands import READY
from cm4tiny.boards.elf_image import Symbol, read_elf
from cm4tiny.deadline import Deadline
from cm4tiny.errors import BoardError, VerificationError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware.inference_code import TensorInfo


class SetUpError(VerificationError):
    """The image says that its model cannot be set up: its arena is too small, or an operator is missing."""


Int8 = npt.NDArray[np.int8]

INPUT, OUTPUT, BUFFER = "model_input", "model_output", "buffer"
_CHUNK_BYTES = 512  # of data in a `db` line; a command has 1040 characters (firmware/harness/api.h)
_BOOT_S, _LOAD_S, _INFER_S = 10.0, 10.0, 120.0  # of virtual time; the slowest engine takes seconds for the largest model
_ERROR = re.compile(r"^e-\[.*$", re.MULTILINE)
_RESULTS = re.compile(r"^m-results-\[([^\]]*)\]\s*$", re.MULTILINE)
_SET_UP = "The model cannot be set up"
_REBUILD = "build the image again, or report the model with this message"


@dataclass(frozen=True)
class ImageAnswers:
    """What an image answered.

    Attributes:
        outputs: [inputs, values], as they lie in the board's memory: int8, or float32 of an engine that quantises on its own.
        printed: the results as the image printed them, one tuple per input.
        cycles: of the board, everything included.
    """

    outputs: npt.NDArray[np.int8] | npt.NDArray[np.float32]
    printed: tuple[tuple[float, ...], ...]
    cycles: int


def run_image(
    elf: Path,
    benchmark: Benchmark,
    inputs: Int8,
    tensors: tuple[TensorInfo, TensorInfo],
    events: EventStream = SILENT,
    board: BoardDescription | None = None,
) -> ImageAnswers:
    """Infers each row of ``inputs``.

    Args:
        inputs: int8 [n, values]; for an engine that takes floats they are dequantised by the input's scale.
        tensors: the model's input and output.
        board: that the image is for; None: the default board.

    Raises:
        VerificationError: the image answers errors, or not at all, or did not take the input.
        DeviceFaultError: it crashes.
    """
    entry, result = tensors
    symbols = read_elf(elf, chip=board.chip if board else None).symbols
    places = [_symbol(symbols, name, tensor.size * _width(tensor), elf) for name, tensor in ((INPUT, entry), (OUTPUT, result))]
    buffer = _symbol(symbols, BUFFER, benchmark.input_bytes, elf)
    rows: list[npt.NDArray[Any]] = []
    printed: list[tuple[float, ...]] = []
    with VirtualBoard(elf, board=board, events=events) as virtual:
        _ask(virtual, "", _BOOT_S)
        for row in inputs.reshape(-1, entry.size):
            sent = as_sent(row, benchmark, entry)
            if rows:
                virtual.write_memory(buffer.address, sent)
            else:
                _load(virtual, sent)
            answer = _ask(virtual, "infer 1 0", _INFER_S)
            found = _RESULTS.findall(answer)
            if len(found) != 1:
                raise VerificationError("the image answered no results", why=repr(answer[-200:]), hint=_REBUILD)
            taken, output = (virtual.read_memory(place.address, place.size) for place in places)
            expected = row.tobytes() if entry.dtype == "int8" else sent
            if taken != expected:
                raise VerificationError(
                    "the image did not infer the input that was sent", why=f"{_first_difference(taken, expected)}", hint=_REBUILD
                )
            rows.append(np.frombuffer(output, np.int8 if result.dtype == "int8" else "<f4"))
            printed.append(tuple(float(value) for value in found[0].split(",")))
        return ImageAnswers(np.stack(rows), tuple(printed), virtual.cycles)


def boot_image(elf: Path, board: BoardDescription | None = None) -> None:
    """Raises VerificationError unless an image starts on a board (None: the default one) and sets its model up."""
    with VirtualBoard(elf, board=board) as virtual:
        _ask(virtual, "", _BOOT_S)


def read_word(elf: Path, symbol: str, board: BoardDescription | None = None) -> int:
    """A variable of 32 bits of an image that has started on a board; None: the default one.

    Raises:
        VerificationError: it has none of that name, or it does not start.
    """
    place = _symbol(read_elf(elf, chip=board.chip if board else None).symbols, symbol, 4, elf)
    with VirtualBoard(elf, board=board) as virtual:
        _ask(virtual, "", _BOOT_S)
        return int.from_bytes(virtual.read_memory(place.address, 4), "little")


def as_sent(row: Int8, benchmark: Benchmark, entry: TensorInfo) -> bytes:
    """The bytes that make the harness infer ``row``, by the benchmark's kind of input (firmware/harness/tensor.c)."""
    if benchmark.input_kind == "float32":
        return ((row.astype(np.float32) - np.float32(entry.zero_point)) * np.float32(entry.scale)).astype("<f4").tobytes()
    return (row.astype(np.int16) + 128).astype(np.uint8).tobytes() if benchmark.input_kind == "uint8" else row.tobytes()


def _symbol(symbols: dict[str, Symbol], name: str, size: int, elf: Path) -> Symbol:
    symbol = symbols.get(name)
    if symbol is None or symbol.size != size:
        held = "it is not there" if symbol is None else f"it has {symbol.size}"
        raise VerificationError(
            f"{elf.name} cannot be verified",
            why=f"its symbol {name} should have {size} bytes; {held}",
            hint="build it with this project's harness, and do not strip it",
        )
    return symbol


def _width(tensor: TensorInfo) -> int:
    return 4 if tensor.dtype == "float32" else 1


def _load(board: VirtualBoard, data: bytes) -> None:
    _ask(board, f"db load {len(data)}", _LOAD_S)
    for start in range(0, len(data), _CHUNK_BYTES):
        _ask(board, f"db {data[start : start + _CHUNK_BYTES].hex()}", _LOAD_S)


def _ask(board: VirtualBoard, command: str, seconds: float) -> str:
    """The answer to a command, or to starting the board."""
    if command:
        board.link.write(command.encode() + b"%")
    deadline, answer = Deadline(seconds, board.link.clock), b""
    while not answer.endswith(READY):
        part = board.link.read(deadline)
        if not part and deadline.expired:
            raise BoardError(
                f"the image does not answer {command.split(' ')[0] or 'at all'} within {seconds:g} s",
                why=f"it said {answer[-200:]!r} and is at {board.position()}",
                hint=_REBUILD,
            )
        answer += part
    text = answer.decode("ascii", "replace")
    errors: Sequence[str] = _ERROR.findall(text)
    if errors:
        kind = SetUpError if _SET_UP in errors[0] else VerificationError
        raise kind("the image answers with an error", why=errors[0].strip(), hint=_REBUILD)
    return text


def _first_difference(found: bytes, expected: bytes) -> str:
    at = next(i for i, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b)
    return f"byte {at} is {found[at]} instead of {expected[at]}"
