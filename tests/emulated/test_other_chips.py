# SPDX-License-Identifier: Apache-2.0
"""Chips with another core and another clock tree than the default board's: what a program sees there, by a few instructions."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.boards import find_board
from cm4tiny.boards.virtual.cores import ADD_DOUBLE, CORES
from cm4tiny.boards.virtual.cycle_model import has_cycle_model
from cm4tiny.deadline import Deadline
from cm4tiny.errors import DeviceFaultError, FirmwareError, PowerError, SiliconRuleError

FLASH, PARK, SVC, RETURN = 0x0800_0000, 0xE7FE, 0xDF00, 0x4770
CPACR, CPUID = 0xE000_ED88, 0xE000_ED00


@dataclass(frozen=True)
class Chip:
    """A chip's addresses, typed in a second time.

    Attributes:
        clock: stores that bring it to ``hclk_hz``, and what RCC then reads.
        uart: stores that make the virtual COM port send at about 115200 baud; its data register.
        exc_return: what a handler finds in LR, interrupted in thread mode without floating point.
    """

    board: str
    ram: int
    exc_return: int
    hclk_hz: int
    clock: tuple[tuple[int, int], ...]
    ready: tuple[tuple[int, int], ...]
    uart: tuple[tuple[int, int], ...]
    data: int


RCC_U5, GPIO_U5, USART_U5 = 0x4602_0C00, 0x4202_0000, 0x4001_3800
RCC_H7, GPIO_H7, USART_H7 = 0x5802_4400, 0x5802_0C00, 0x4000_4800
RCC_F7, GPIO_F7, USART_F7 = 0x4002_3800, 0x4002_0000, 0x4001_1000
RCC_G0, GPIO_G0, USART_G0 = 0x4002_1000, 0x5000_0000, 0x4000_4400
CHIPS = {
    "stm32u575zi": Chip(
        "nucleo-u575zi-q",
        0x2000_0000,
        0xFFFF_FFB8,
        160_000_000,
        clock=(
            (RCC_U5, 0x0100),  # HSI16
            (RCC_U5 + 0x28, 0x0004_0002),  # PLL1R from HSI16
            (RCC_U5 + 0x34, 0x0100_0013),  # times 20, by 2
            (RCC_U5, 0x0100_0100),
            (RCC_U5 + 0x1C, 3),
        ),
        ready=((RCC_U5, 0x0300_0500), (RCC_U5 + 0x1C, 0xF)),
        uart=(
            (RCC_U5 + 0x8C, 1),  # port A
            (RCC_U5 + 0xA4, 1 << 14),  # USART1
            (GPIO_U5, 0xABEB_FFFF),  # PA9 and PA10: alternate function 7
            (GPIO_U5 + 0x24, 0x770),
            (USART_U5 + 0x0C, 1389),  # of PCLK2 = 160 MHz
            (USART_U5, 0xD),
        ),
        data=USART_U5 + 0x28,
    ),
    "stm32h7a3zi": Chip(
        "nucleo-h7a3zi-q",
        0x2400_0000,
        0xFFFF_FFF9,
        280_000_000,
        clock=(
            (RCC_H7 + 0x28, 0x80),  # HSI by 8
            (RCC_H7 + 0x30, 0x0101_0245),  # times 70, by 2
            (RCC_H7, 0x0100_0001),
            (RCC_H7 + 0x10, 3),
        ),
        ready=((RCC_H7, 0x0300_C005), (RCC_H7 + 0x10, 0x1B)),
        uart=(
            (RCC_H7 + 0x140, 8),  # port D
            (RCC_H7 + 0x148, 1 << 18),  # USART3
            (GPIO_H7, 0xFFFA_FFFF),  # PD8 and PD9: alternate function 7
            (GPIO_H7 + 0x24, 0x77),
            (USART_H7 + 0x0C, 2431),  # of PCLK1 = 280 MHz
            (USART_H7, 0xD),
        ),
        data=USART_H7 + 0x28,
    ),
    "stm32f746ng": Chip(
        "disco-f746ng",
        0x2000_0000,
        0xFFFF_FFF9,
        216_000_000,
        clock=((RCC_F7 + 0x04, 0x0000_3608), (RCC_F7, 0x0100_0001), (RCC_F7 + 0x08, 2)),  # HSI by 8, times 216, by 2
        ready=((RCC_F7, 0x0300_0003), (RCC_F7 + 0x08, 0xA)),
        uart=(
            (RCC_F7 + 0x30, 3),  # ports A and B
            (RCC_F7 + 0x44, 1 << 4),  # USART1
            (GPIO_F7, 0xA808_0000),  # PA9 and PB7: alternate function 7
            (GPIO_F7 + 0x24, 0x70),
            (GPIO_F7 + 0x400, 0x8280),
            (GPIO_F7 + 0x420, 0x7000_0000),
            (USART_F7 + 0x0C, 1875),  # of PCLK2 = 216 MHz
            (USART_F7, 0xD),
        ),
        data=USART_F7 + 0x28,
    ),
    "stm32g0b1re": Chip(
        "nucleo-g0b1re",
        0x2000_0000,
        0xFFFF_FFF9,
        64_000_000,
        clock=((RCC_G0 + 0x0C, 0x3000_0802), (RCC_G0, 0x0100_0100), (RCC_G0 + 0x08, 2)),  # HSI16 times 8, by 2
        ready=((RCC_G0, 0x0300_0500), (RCC_G0 + 0x08, 0x12)),
        uart=(
            (RCC_G0 + 0x34, 1),  # port A
            (RCC_G0 + 0x3C, 1 << 17),  # USART2
            (GPIO_G0, 0xEBFF_FFAF),  # PA2 and PA3: alternate function 1
            (GPIO_G0 + 0x20, 0x1100),
            (USART_G0 + 0x0C, 556),  # of PCLK = 64 MHz
            (USART_G0, 0xD),
        ),
        data=USART_G0 + 0x28,
    ),
}
chips = pytest.mark.parametrize("chip", list(CHIPS.values()), ids=list(CHIPS))


def program(*parts: int | tuple[int, int] | tuple[str, int, int]) -> bytes:
    """Halfwords as they stand; ``(address, value)`` stores; ``("copy", from, to)`` copies a word. By R4 to R7; literals follow the code."""
    size = 2 * sum(1 if isinstance(part, int) else 3 if len(part) == 2 else 4 for part in parts)
    pool, at, halfwords = (size + 3) // 4 * 4, 0, []
    literals: list[int] = []

    def literal(register: int, value: int, place: int) -> int:
        literals.append(value)
        return 0x4800 | register << 8 | (pool + 4 * (len(literals) - 1) - (place + 4 & ~3)) // 4

    for part in parts:
        if isinstance(part, int):
            new = [part]
        elif len(part) == 2:
            new = [literal(7, part[0], at), literal(6, part[1], at + 2), 0x603E]  # str r6, [r7]
        else:
            new = [literal(7, part[1], at), literal(5, part[2], at + 2), 0x683C, 0x602C]  # ldr r4, [r7]; str r4, [r5]
        halfwords += new
        at += 2 * len(new)
    code = struct.pack(f"<{len(halfwords)}H", *halfwords)
    return code.ljust(pool, b"\0") + struct.pack(f"<{len(literals)}I", *literals)


def image(folder: Path, chip: Chip, main: bytes, handler: Iterable[int] = (PARK,)) -> Path:
    """A plain image: 64 vectors, all to one handler, and the program."""
    start = FLASH + 0x100
    body = main.ljust((len(main) + 3) // 4 * 4, b"\0")
    vectors = struct.pack("<64I", chip.ram + 0x8000, start | 1, *[(start + len(body)) | 1] * 62)
    path = folder / "program.bin"
    path.write_bytes(vectors + body + struct.pack(f"<{len(list(handler))}H", *handler))
    return path


def run(path: Path, chip: Chip, seconds: float = 0.01) -> VirtualBoard:
    board = VirtualBoard(path, board=find_board(chip.board), baud=115200, in_process=True)
    board.link.read(Deadline(seconds, board.link.clock))
    return board


def words(board: VirtualBoard, address: int, count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}I", board.read_memory(address, 4 * count))


@chips
def test_its_clock_follows_from_its_registers_and_ready_flags_follow_switches(tmp_path: Path, chip: Chip) -> None:
    copies = [("copy", address, chip.ram + 4 * i) for i, (address, _) in enumerate(chip.ready)]
    with run(image(tmp_path, chip, program(*chip.clock, *copies, PARK)), chip) as board:
        assert board.statistics().hclk_hz == chip.hclk_hz
        found = words(board, chip.ram, len(chip.ready))
        assert [value & mask for value, (_, mask) in zip(found, chip.ready, strict=True)] == [mask for _, mask in chip.ready]
        assert board.statistics().notes[1:] == ()  # nothing but the endless loop at the end


@chips
def test_its_serial_port_sends_at_its_baud_rate_where_the_board_has_it(tmp_path: Path, chip: Chip) -> None:
    path = image(tmp_path, chip, program(*chip.clock, *chip.uart, (chip.data, ord("!")), PARK))
    with VirtualBoard(path, board=find_board(chip.board), baud=115200, in_process=True) as board:
        assert board.link.read(Deadline(0.01, board.link.clock)) == b"!"
        assert board.guard.machine.line_baud() == pytest.approx(115200, rel=0.01)


@chips
def test_its_exceptions_are_those_of_its_architecture(tmp_path: Path, chip: Chip) -> None:
    """The handler keeps LR and comes back; the program goes on behind its SVC."""
    handler = [0x4676, 0x606E, RETURN]  # mov r6, lr; str r6, [r5, #4]; bx lr
    main = program(("copy", CPUID, chip.ram), SVC, 0x60AD, PARK)  # str r5, [r5, #8]
    with run(image(tmp_path, chip, main, handler), chip) as board:
        core = board.description.chip.core
        cpuid, exc_return, behind = words(board, chip.ram, 3)
        assert (cpuid, exc_return, behind) == (CORES[core.name, core.fpu].cpuid, chip.exc_return, chip.ram)
        assert board.statistics().exceptions == 1


@chips
def test_an_instruction_that_its_core_has_not_faults(tmp_path: Path, chip: Chip) -> None:
    core = find_board(chip.board).chip.core
    for name, code, has in CORES[core.name, core.fpu].probes:
        main = program((CPACR, 0x00F0_0000), 0x4639, *struct.unpack("<2H", code), PARK)  # mov r1, r7
        if has:
            with run(image(tmp_path, chip, main), chip) as board:
                assert board.statistics().exceptions == 0, name
        else:
            with pytest.raises(DeviceFaultError, match="instruction"):
                run(image(tmp_path, chip, main), chip)


@pytest.mark.parametrize(("chip", "faults"), [("stm32f746ng", True), ("stm32h7a3zi", False)])
def test_doubles_are_computed_only_where_the_core_can(tmp_path: Path, chip: str, faults: bool) -> None:
    """unicorn's Cortex-M7 has a double-precision FPU, that of the STM32F746 has not."""
    add = program((CPACR, 0x00F0_0000), *struct.unpack("<2H", ADD_DOUBLE[1]), PARK)
    if faults:
        with pytest.raises(DeviceFaultError, match="instruction"):
            run(image(tmp_path, CHIPS[chip], add), CHIPS[chip])
    else:
        with run(image(tmp_path, CHIPS[chip], add), CHIPS[chip]) as board:
            assert board.statistics().exceptions == 0


def test_a_message_does_not_lend_a_chip_the_registers_and_the_manual_of_another(tmp_path: Path) -> None:
    chip = CHIPS["stm32f746ng"]
    with pytest.raises(SiliconRuleError) as caught:
        run(image(tmp_path, chip, program((0x4000_7000, 0), PARK)), chip)
    assert "PWR+0x00 was used while its clock is off" in caught.value.what and "RCC_APB1ENR bit 28" in caught.value.hint
    assert "as on an STM32L4+, RM0432" in caught.value.why


@chips
def test_no_figure_is_made_up_for_it(tmp_path: Path, chip: Chip) -> None:
    assert not has_cycle_model(find_board(chip.board).chip)
    with run(image(tmp_path, chip, program(PARK)), chip) as board:
        board.power.start()
        with pytest.raises(PowerError, match="no model of the current"):
            board.power.stop()
        with pytest.raises(PowerError, match="no model of the current"):
            board.power_settings()


def test_a_core_may_run_faster_than_its_buses(tmp_path: Path) -> None:
    """HPRE of the STM32H7A3 by 2: the core stays at its clock, the serial port's halves."""
    chip = CHIPS["stm32h7a3zi"]
    path = image(tmp_path, chip, program(*chip.clock, (RCC_H7 + 0x18, 8), *chip.uart, (chip.data, ord("!")), PARK))
    with VirtualBoard(path, board=find_board(chip.board), in_process=True) as board:
        assert board.link.read(Deadline(0.01, board.link.clock)) == b"!"
        assert board.guard.machine.line_baud() == pytest.approx(115200 / 2, rel=0.01)
        assert board.statistics().hclk_hz == chip.hclk_hz


def test_firmware_of_this_project_is_not_built_for_a_chip_without_start_up_code(tmp_path: Path) -> None:
    from support.firmware_stubs import stub_model
    from support.tiny_images import tool_chain

    from cm4tiny.benchmarks import BENCHMARKS
    from cm4tiny.firmware.build import build_firmware

    toolchain = tool_chain()
    for chip in CHIPS.values():
        with pytest.raises(FirmwareError, match="no start-up code") as caught:
            build_firmware(
                BENCHMARKS["kws"],
                stub_model("kws"),
                mode="performance",
                toolchain=toolchain,
                out_dir=tmp_path,
                board=find_board(chip.board),
            )
        assert "images that others built" in caught.value.why
