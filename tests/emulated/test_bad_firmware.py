# SPDX-License-Identifier: Apache-2.0
"""Firmware that cannot run or goes wrong, as a user meets it: ``python -m cm4tiny virtual-board FILE`` says what, where and why."""

from __future__ import annotations

import contextlib
import os
import random
import re
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from support.hostile_firmware import ROOT
from support.tiny_elf import FLASH, RAM, VECTORS, Load, add_symbols, numbered, tiny_elf
from virtual_board_programs import ECHO, NOP, PARK, UDF, code, load, move_wide, movs, store, stores, write_elf

from cm4tiny.__main__ import main
from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual.image_files import load_image
from cm4tiny.boards.virtual.server import _Watch
from cm4tiny.errors import Cm4TinyError

Cm = Callable[..., subprocess.CompletedProcess[str]]
RCC, I2C1 = 0x40021000, 0x40005400
START = FLASH + 0x41
I2C1_CLOCK = stores((RCC + 0x58, 1 << 21))
_HEADER_64 = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0)
FOREIGN = {
    "Cortex-M33": (tiny_elf(marks=numbered({6: 17, 7: ord("M")})), "it is built for Armv8-M Mainline; a Cortex-M4 has Armv7E-M"),
    "Cortex-M23": (tiny_elf(marks=numbered({6: 16, 7: ord("M")})), "it is built for Armv8-M Baseline; a Cortex-M4 has Armv7E-M"),
    "Cortex-M55": (tiny_elf(marks=numbered({6: 21, 7: ord("M")})), "it is built for Armv8.1-M Mainline; a Cortex-M4 has Armv7E-M"),
    "Cortex-M7": (tiny_elf(marks=numbered({6: 13, 7: ord("M"), 10: 8})), "it is built for the FPU FPv5 (Armv8); a Cortex-M4 has FPv4-SP"),
    "Cortex-A9": (tiny_elf(marks=numbered({6: 10, 7: ord("A")})), "it is built for the profile 'A'; a Cortex-M4 has profile 'M'"),
    "Armv8-A in 32 bits": (tiny_elf(marks=numbered({6: 14, 7: ord("A")})), "it is built for the profile 'A'; a Cortex-M4 has profile 'M'"),
    "Cortex-A53": (_HEADER_64, "EM_AARCH64, 64 bits"),
    "RISC-V": (tiny_elf(machine=243), "machine EM_RISCV, 32 bits, little endian"),
    "big endian": (tiny_elf(endian=2), "32 bits, big endian"),
}
"""Files for other cores by tags 6 (architecture), 7 (profile), 10 (FPU) of the build attributes, or by the header."""


class Run:
    """The command on a file, until it ends or ``until`` appears on stderr."""

    def __init__(self, path: Path, until: str = "", limit_s: float = 60.0) -> None:
        command = [sys.executable, "-m", "cm4tiny", "virtual-board", str(path)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        self.lines: list[str] = []
        found = threading.Event()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment) as child:

            def read() -> None:
                assert child.stderr is not None
                for line in child.stderr:
                    self.lines.append(line.rstrip("\n"))
                    if until and until in line:
                        found.set()

            thread = threading.Thread(target=read, daemon=True)
            thread.start()
            end = time.monotonic() + limit_s
            while child.poll() is None and not found.is_set() and time.monotonic() < end:
                time.sleep(0.02)
            self.ended = child.poll()
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            thread.join()
        self.text = "\n".join(self.lines)


def program(
    folder: Path,
    *parts: int | Iterable[int],
    handler: Iterable[int] = (PARK,),
    vectors: int = 16,
    names: Iterable[tuple[str, int, int]] = (),
) -> Path:
    """An ELF with vectors, ``main`` behind them, ``fault`` as the handler of every fault, and these names (name, offset, size)."""
    body = code(*parts)
    at = FLASH + 0x40 + (len(body) + 3 & ~3)
    table = struct.pack("<16I", RAM + 640 * 1024, START, *[at | 1] * 14)
    image = table[: 4 * vectors].ljust(64, b"\xff") + body.ljust(at - FLASH - 0x40, b"\0") + code(handler)
    symbols = [("main", START, len(body), 1), ("fault", at | 1, 0, 1), *((name, START + offset, size, 1) for name, offset, size in names)]
    path = folder / "firmware.elf"
    path.write_bytes(add_symbols(tiny_elf(Load(image, FLASH)), *symbols, sections=((FLASH, len(image)),)))
    return path


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Path | bytes], str]:
    """Runs the command on what does not run for long; what it says on stderr."""

    def run(what: Path | bytes) -> str:
        path = what if isinstance(what, Path) else tmp_path / "file.elf"
        if isinstance(what, bytes):
            path.write_bytes(what)
        assert main(["virtual-board", str(path)]) == 1
        text = capsys.readouterr().err
        assert text.count("error: ") == 1 and "  hint: " in text and "Traceback" not in text
        return text

    return run


Refused = Callable[[Path | bytes], str]

# --- files --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("core", FOREIGN)
def test_another_core_is_refused_with_what_it_was_built_for(refused: Refused, core: str) -> None:
    data, why = FOREIGN[core]
    text = refused(data)
    assert "is for another processor" in text and why in text and "-mcpu=cortex-m4" in text


def test_the_command_itself_ends_with_status_1(tmp_path: Path) -> None:
    path = tmp_path / "m33.elf"
    path.write_bytes(FOREIGN["Cortex-M33"][0])
    run = Run(path)
    assert run.ended == 1 and run.lines[0] == f"error: {path} is for another processor"


def test_the_step_names_another_core(cm: Cm, tmp_path: Path) -> None:
    (tmp_path / "m33.elf").write_bytes(FOREIGN["Cortex-M33"][0])
    done = cm("run", "script", "--tags=run,mlperf,tiny,image,_boot", "--image=m33.elf")
    assert done.returncode == 1 and "it is built for Armv8-M Mainline; a Cortex-M4 has Armv7E-M" in done.stdout + done.stderr


def test_a_file_that_was_cut_anywhere_is_refused(refused: Refused) -> None:
    whole = add_symbols(tiny_elf(Load(VECTORS + bytes(400), FLASH)), ("main", FLASH + 9, 8, 1))
    for length in range(0, len(whole) - 1, 13):
        text = refused(whole[:length])
        assert any(
            words in text for words in ("is truncated", "is empty", "is a damaged ELF", "is not a", "has no vector table", "for this chip")
        ), text


@pytest.mark.parametrize(
    ("place", "form", "value"),
    [(28, "<I", 0xFFFFFFF0), (32, "<I", 0xFFFFFFF0), (44, "<H", 0xFFFF), (48, "<H", 0xFFFF), (52 + 4, "<I", 0x7FFFFFFF),
     (52 + 16, "<I", 0xFFFFFFFF), (42, "<H", 1), (46, "<H", 1)],
)  # fmt: skip
def test_a_file_that_lies_about_its_tables_is_refused(refused: Refused, place: int, form: str, value: int) -> None:
    data = bytearray(add_symbols(tiny_elf(), ("main", FLASH + 9, 8, 1)))
    struct.pack_into(form, data, place, value)
    text = refused(bytes(data))
    assert "is truncated" in text or "is a damaged ELF file" in text


def test_random_damage_never_ends_in_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first 200 bytes and the tables behind the contents; what is still whole would run, so only reading is tried."""
    chance, whole, refusals = random.Random(12), add_symbols(tiny_elf(), ("main", FLASH + 9, 8, 1)), 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        path = tmp_path / "damaged.elf"
        path.write_bytes(data)
        try:
            load_image(path)
        except Cm4TinyError as error:
            refusals += 1
            assert error.hint, error
    assert refusals > 100


# --- what is not modelled -----------------------------------------------------------------------------------------------------------


def test_a_register_that_is_not_modelled_is_named_once_with_what_it_answered(tmp_path: Path) -> None:
    wait = [load(1, 0, 0x18), store(1, 0, 0x10), 0x2900, 0xD0FB]  # reads, writes, continues while it is 0
    run = Run(program(tmp_path, I2C1_CLOCK, move_wide(0, I2C1), wait, PARK), until="does not listen")
    assert run.lines[:2] == [
        "note: read of I2C1+0x18 (0x40005418), which is not modelled, gave 0, near PC 0x08000040 (main)",
        "note: write to I2C1+0x10 (0x40005410), which is not modelled, was ignored, near PC 0x08000040 (main)",
    ]
    assert len(run.lines) == 3 and run.ended is None


def test_a_peripheral_without_its_clock_is_an_error_with_its_place(tmp_path: Path, refused: Refused) -> None:
    text = refused(program(tmp_path, move_wide(0, I2C1), load(1, 0, 0x18), PARK))
    assert "I2C1+0x18 was used while its clock is off" in text and "at PC 0x08000048 (main+0x8)" in text
    assert "set RCC_APB1ENR1 bit 21 first" in text


# --- stack, lockup ------------------------------------------------------------------------------------------------------------------

DEEPER = (0xB500, 0xF7FF, 0xFFFD)
"""push {lr}; bl to the push: a recursion that does not end."""


@pytest.mark.parametrize("vectors", [16, 2])
def test_a_stack_that_runs_over_is_called_so(tmp_path: Path, refused: Refused, vectors: int) -> None:
    text = refused(program(tmp_path, NOP, DEEPER, names=[("deeper", 2, 6)], vectors=vectors))
    assert "crashed: the stack ran over: write to system memory at 0x1ffffffc, and the stack pointer is 0x20000000" in text
    assert "at PC 0x08000042 (deeper)" in text and "the core locked up there" in text
    assert "a recursion that does not end" in text


def test_a_large_array_below_the_stack_is_called_so(tmp_path: Path, refused: Refused) -> None:
    low = [*move_wide(0, RAM + 0x100), 0x4685, 0xB0C0, 0x9001]  # mov sp, r0; sub sp, #256; str r0, [sp, #4]
    assert "the stack ran over" not in Run(program(tmp_path, low, PARK), until="endless").text
    text = refused(program(tmp_path, low[:-1], 0xB0C0, 0x9001, PARK))
    assert "the stack ran over: write to system memory at 0x1fffff04" in text and "(main+0xe)" in text


def test_a_wild_pointer_is_not_called_a_stack(tmp_path: Path, refused: Refused) -> None:
    text = refused(program(tmp_path, move_wide(0, 0x60000000), store(1, 0), PARK))
    assert "crashed: write to an address where nothing is: 0x60000000" in text and "(main+0x8)" in text and "wild pointer" in text


@pytest.mark.parametrize(("handler", "vectors"), [((UDF,), 16), ((PARK,), 2)])
def test_a_lockup_says_so_and_names_the_first_fault(tmp_path: Path, refused: Refused, handler: Iterable[int], vectors: int) -> None:
    text = refused(program(tmp_path, NOP, UDF, handler=handler, vectors=vectors))
    assert "crashed: invalid instruction" in text and "at PC 0x08000042 (main+0x2)" in text
    assert "taken as HardFault" in text and "and the core locked up there" in text and "-mcpu=cortex-m4" in text


def test_a_handler_that_goes_round_for_ever_is_the_crash_that_it_handles(tmp_path: Path, refused: Refused) -> None:
    text = refused(program(tmp_path, NOP, UDF, handler=(NOP, NOP, 0xE7FC)))
    assert "crashed: invalid instruction" in text and "(main+0x2)" in text


# --- waiting for ever -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([PARK], r"the firmware ended in an endless loop, or in a sleep that nothing ends, at 0x08000040 \(main\)"),
        ([0xB672, 0xBF30, NOP], r"in a sleep that nothing ends, at 0x08000044 \(main\+0x4\)"),
        ([*move_wide(0, RAM + 0x100), movs(1, 0), store(1, 0), load(1, 0), 0x2900, 0xD0FC, PARK],
         r"the firmware has gone round at 0x0800004c \(main\+0xc\) for 20 virtual seconds without a word, and does not listen"),
    ],
)  # fmt: skip
def test_firmware_that_waits_for_ever_is_reported_with_its_place(tmp_path: Path, body: list[int], said: str) -> None:
    run = Run(program(tmp_path, body), until="note: ")
    assert run.ended is None and re.search(f"note: .*{said}", run.text), run.text


def test_firmware_that_listens_or_speaks_is_not_reported(tmp_path: Path) -> None:
    with VirtualBoard(write_elf(tmp_path, *ECHO)) as board:
        watch, heard = _Watch(board), 0
        for _ in range(5):
            board.link.write(b"x%")
            for _ in range(20):
                output, waits, listens = board.link.run_until_quiet(0.05)
                heard += len(output)
                assert watch.see(busy=bool(output) or listens) == ""
                if waits:
                    break
        assert heard == 10
