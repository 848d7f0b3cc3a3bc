# SPDX-License-Identifier: Apache-2.0
"""A board that is added as data alone: its firmware is built, runs on a virtual board made for it, and is refused elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.fictional_board import write
from support.firmware_stubs import stub_model
from support.tiny_images import tool_chain

from cm4tiny import verification
from cm4tiny.benchmarks import BENCHMARKS, embedded_model
from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.boards import BoardDescription, described, read_board
from cm4tiny.boards.catalogue import board_identity, check_board, open_board, simulated_label
from cm4tiny.boards.elf_image import read_elf
from cm4tiny.boards.nucleo import BoardOptions
from cm4tiny.boards.virtual.image_files import load_image
from cm4tiny.deadline import Deadline
from cm4tiny.errors import ImageTooLargeError, UsageError
from cm4tiny.firmware.build import FirmwareImage, build_firmware
from cm4tiny.firmware.build_spec import BuildSpec, read_record


def build(board: BoardDescription, folder: Path, mode: str = "performance", **model: object) -> FirmwareImage:
    code = stub_model("kws", **model)  # type: ignore[arg-type]
    return build_firmware(BENCHMARKS["kws"], code, mode=mode, toolchain=tool_chain(), out_dir=folder, board=board)


def said(board: VirtualBoard, command: bytes = b"") -> bytes:
    board.link.write(command)
    text = b""
    while not text.endswith(b"m-ready\r\n"):
        more = board.link.read(Deadline(5, board.link.clock))
        assert more, text
        text += more
    return text


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("boards"))


@pytest.fixture(scope="module")
def image(files: Path, tmp_path_factory: pytest.TempPathFactory) -> FirmwareImage:
    return build(read_board(files), tmp_path_factory.mktemp("image"), "energy")


def test_its_firmware_boots_in_strict_mode_and_answers(files: Path, image: FirmwareImage) -> None:
    """Another UART on other pins, another clock, another time-stamp pin; a wrong bit of any breaks a rule of silicon."""
    description = read_board(files)
    with VirtualBoard(image.elf, board=description, baud=9600) as board:
        assert board.name == "virtual FICTION-BOARD"
        assert b"m-timestamp-mode-energy" in said(board)
        assert said(board, b"name%") == b"m-name-dut-[cm4tiny]\r\nm-ready\r\n"
        edges = len(board.timestamp_edges_s())
        said(board, b"timestamp%")
        assert len(board.timestamp_edges_s()) == edges + 1
        assert [level for _, level in board.pin_changes("E", 9)[-2:]] == [0, 1] and not board.pin_changes("F", 13)
        statistics = board.statistics()
        assert (statistics.hclk_hz, statistics.strict, statistics.notes) == (96_000_000, True, ())
        assert "USART3" in board.power_settings().clocked and "LPUART1" not in board.power_settings().clocked
        assert board.power.voltage_v == 3.0


def test_its_image_is_laid_out_by_its_description(files: Path, image: FirmwareImage) -> None:
    chip = read_board(files).chip
    read = read_elf(image.elf, chip=chip)
    assert (read.stack_bytes, image.stack_bytes) == (4096, 4096)
    assert read.vector_table is not None and read.vector_table[0] == chip.ram.start + 1024 + 4096
    assert read.chip is chip


def test_its_memory_is_its_own(files: Path, tmp_path: Path) -> None:
    description = read_board(files)
    body = "static int8_t more[400 * 1024];\nvoid cm4tiny_model_run(const int8_t *i, int8_t *o)\n{\n    o[0] = ++more[(uint8_t)i[0]];\n}\n"
    with pytest.raises(ImageTooLargeError, match="too large for RAM") as caught:
        build(description, tmp_path, body=body)
    assert "the FICTION1 has flash 0x08000000..0x080FFFFF (1024 KB) and RAM 0x20000000..0x2005FFFF (384 KB)" in caught.value.why


def test_the_steps_can_name_it(files: Path, image: FirmwareImage) -> None:
    """``CM_TINY_BOARD`` may be the path of a description."""
    board_options = BoardOptions(board=str(files))
    check_board("virtual", board_options)
    identity = board_identity("virtual", board_options)
    assert (identity.label, identity.clock_hz) == ("virtual FICTION-BOARD at 3 V", 96_000_000)
    assert simulated_label("virtual", board_options) == "virtual FICTION-BOARD"
    board = open_board("virtual", image.elf, board_options)
    with board:
        assert b"m-init-done" in said(board)


def test_an_image_for_it_is_compiled_and_verified_on_it(files: Path, tmp_path: Path) -> None:
    """From a model: the planner gets the board's memory, the virtual board that executes the image is the board's."""
    tool_chain()
    spec = BuildSpec("kws", "microtvm", "performance", str(embedded_model("kws")), board=str(files))
    built = verification.build(spec, tmp_path)
    record = read_record(built.elf)
    assert record["verification"]["verified"] is True
    assert json.loads((tmp_path / "build.json").read_text(encoding="utf-8"))["board"]["name"] == "FICTION-BOARD"
    assert record["options"]["ram_budget"] == read_board(files).chip.ram.size
    with pytest.raises(UsageError, match="kept result"):
        described(str(files))


def test_what_does_not_fit_its_memory_is_refused_by_the_virtual_board(files: Path, image: FirmwareImage, tmp_path: Path) -> None:
    description = read_board(files)
    path = tmp_path / "large.bin"
    flash = b"".join(segment.data for segment in read_elf(image.elf, chip=description.chip).segments[:1])
    path.write_bytes(flash.ljust(description.chip.flash.size + 4, b"\xff"))
    assert load_image(path).segments
    with pytest.raises(ImageTooLargeError, match="does not fit into flash"):
        VirtualBoard(path, board=description)
