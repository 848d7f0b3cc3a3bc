# SPDX-License-Identifier: Apache-2.0
"""Every real tool chain builds a firmware that answers the protocol on the virtual board, with a stub model."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.firmware_stubs import OUTPUT_SCALE, OUTPUT_ZERO_POINT, load_commands, stub_model
from unicorn import arm_const as arm

from cm4tiny.benchmarks import BENCHMARKS
from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.boards import default_board
from cm4tiny.boards.elf_image import read_elf
from cm4tiny.boards.virtual.unicorn_core import open_core
from cm4tiny.deadline import Deadline
from cm4tiny.errors import CompileError, DeviceFaultError, ImageTooLargeError, ToolchainError
from cm4tiny.firmware.build import FirmwareImage, build_firmware
from cm4tiny.firmware.toolchain import KINDS, Toolchain, find_toolchain

FLASH, RAM = default_board().chip.flash, default_board().chip.ram
READY = b"m-ready\r\n"
INPUT = bytes((37 * i) % 256 for i in range(490))
EXPECTED = ",".join(f"{((b + 128) % 256 - 128 - OUTPUT_ZERO_POINT) * OUTPUT_SCALE:.3f}" for b in INPUT[:12])
# One word read per memcpy, 4000 times: a tool chain that calls memcpy for it needs several times the cycles.
WORD_READS = """
static volatile int32_t sink;
void cm4tiny_model_run(const int8_t *input, int8_t *output)
{
    int32_t sum = 0;
    for (int round = 0; round < 40; ++round) {
        for (int i = 0; i < 100; ++i) {
            int32_t word;
            memcpy(&word, input + 4 * i, 4);
            sum = (sum + word) ^ round;
        }
    }
    sink = sum;
    memcpy(output, input, CM4TINY_MODEL_OUTPUT_SIZE);
}
"""


def talk(board: VirtualBoard, command: str = "", seconds: float = 60.0) -> str:
    """What the board says until it is ready again."""
    if command:
        board.link.write(command.encode())
    said, deadline = b"", Deadline(seconds, board.link.clock)
    while not said.endswith(READY):
        assert not deadline.expired, said
        said += board.link.read(deadline)
    return said.removesuffix(READY).decode()


@pytest.fixture(scope="session")
def chain() -> Callable[[str], Toolchain]:
    """A tool chain by kind; skips the test with the reason if this machine cannot have it."""
    found: dict[str, Toolchain | ToolchainError] = {}

    def find(kind: str) -> Toolchain:
        if kind not in found:
            try:
                found[kind] = find_toolchain(kind, install=kind in ("pip", "zig", "auto"))
            except ToolchainError as error:
                found[kind] = error
        result = found[kind]
        if isinstance(result, ToolchainError):
            pytest.skip(f"tool chain '{kind}': {result.why}")
        return result

    return find


@pytest.fixture(scope="session")
def gcc(chain: Callable[[str], Toolchain]) -> Toolchain:
    return chain("auto")


@pytest.fixture(params=KINDS)
def any_chain(request: pytest.FixtureRequest, chain: Callable[[str], Toolchain]) -> Toolchain:
    return chain(request.param)


def build(out: Path, toolchain: Toolchain, benchmark: str = "kws", mode: str = "performance", **model: str) -> FirmwareImage:
    row = BENCHMARKS[benchmark]
    return build_firmware(row, stub_model(benchmark, **model), mode=mode, toolchain=toolchain, out_dir=out)


@pytest.fixture
def board(tmp_path: Path, gcc: Toolchain) -> Iterator[VirtualBoard]:
    with VirtualBoard(build(tmp_path, gcc).elf) as machine:
        talk(machine)
        yield machine


def test_every_tool_chain_makes_a_firmware_that_holds_the_conversation(tmp_path: Path, any_chain: Toolchain) -> None:
    with VirtualBoard(build(tmp_path, any_chain).elf) as machine:
        assert re.fullmatch(r"m-timestamp-mode-performance\r\nm-lap-us-\d+\r\nm-init-done\r\n", talk(machine))
        assert talk(machine, "name%") == "m-name-dut-[cm4tiny]\r\n"
        assert talk(machine, "profile%").endswith("m-model-[kws01]\r\n")
        for command in load_commands(INPUT):
            talk(machine, f"{command}%")
        assert f"m-results-[{EXPECTED}]\r\n" in talk(machine, "infer 2 1%")


def test_every_tool_chain_gives_the_same_bytes_from_another_folder(tmp_path: Path, any_chain: Toolchain) -> None:
    first, second = build(tmp_path / "a", any_chain), build(tmp_path / "some" / "where" / "else", any_chain)
    assert first.elf.read_bytes() == second.elf.read_bytes()
    assert first.sha256 == second.sha256


def test_every_tool_chain_reads_a_word_by_memcpy_without_a_call(tmp_path: Path, any_chain: Toolchain) -> None:
    with VirtualBoard(build(tmp_path, any_chain, body=WORD_READS).elf, exact=True) as machine:
        talk(machine)
        for command in load_commands(INPUT, 490):
            talk(machine, f"{command}%")
        laps = [int(lap) for lap in re.findall(r"m-lap-us-(\d+)", talk(machine, "infer 200 0%"))]
        reads = 200 * 4000
        assert (laps[1] - laps[0]) * 120 < 12 * reads


@pytest.mark.parametrize("mode", ["performance", "energy"])
@pytest.mark.parametrize("benchmark", sorted(BENCHMARKS))
def test_every_benchmark_builds_in_both_modes_and_fits(tmp_path: Path, gcc: Toolchain, benchmark: str, mode: str) -> None:
    built = build(tmp_path, gcc, benchmark, mode)
    image = read_elf(built.elf)
    assert image.hard_float
    assert image.vector_table is not None
    stack_pointer, reset = image.vector_table
    assert stack_pointer == RAM.start + 9 * 1024  # the red zone and the stack come first: in SRAM1
    assert image.entry | 1 == reset
    assert image.symbols["Reset_Handler"].address == reset & ~1
    assert image.sections[0].name == ".isr_vector"
    assert (image.sections[0].address, image.sections[0].size) == (FLASH.start, 4 * (16 + 95))
    assert built.flash_bytes < 16 * 1024
    assert built.ram_bytes < 64 * 1024
    assert built.stack_bytes == 8 * 1024


def test_energy_windows_are_two_falling_edges_on_the_pin(tmp_path: Path, gcc: Toolchain) -> None:
    with VirtualBoard(build(tmp_path, gcc, mode="energy").elf) as machine:
        assert "m-timestamp-mode-energy\r\n" in talk(machine)
        for command in load_commands(INPUT, 490):
            talk(machine, f"{command}%")
        machine.power.start()
        answer = talk(machine, "infer 3 0%")
        trace = machine.power.stop()
        assert "m-lap" not in answer
        assert len(trace.timestamps_s) == 2
        assert trace.timestamps_s[0] < trace.timestamps_s[1]


def test_a_line_with_the_whole_input_arrives_over_the_serial_line(board: VirtualBoard) -> None:
    talk(board, "db load 490%")
    assert "m-load-done" in talk(board, f"db {INPUT.hex()}%")


def test_reset_starts_the_firmware_anew(board: VirtualBoard) -> None:
    assert "m-init-done\r\n" in talk(board, "reset%")
    assert talk(board, "name%") == "m-name-dut-[cm4tiny]\r\n"


def test_code_and_data_placed_in_ram_work(tmp_path: Path, gcc: Toolchain) -> None:
    body = (
        '__attribute__((section(".ramdata"))) static int8_t table[4] = {1, 2, 3, 4};\n'
        "static int8_t more[4] = {5, 6, 7, 8};\n"
        '__attribute__((section(".ramfunc"), noinline)) void cm4tiny_model_run(const int8_t *input, int8_t *output)\n'
        "{\n    (void)input;\n    memcpy(output, table, 4);\n    memcpy(output + 4, more, 4);\n    ++table[0];\n    ++more[0];\n}\n"
    )
    built = build(tmp_path, gcc, body=body)
    assert read_elf(built.elf).symbols["cm4tiny_model_run"].address in RAM
    with VirtualBoard(built.elf) as machine:
        talk(machine)
        for command in load_commands(INPUT, 490):
            talk(machine, f"{command}%")
        expected = ",".join(f"{(q + 128) / 256:.3f}" for q in (2, 2, 3, 4, 6, 6, 7, 8, 0, 0, 0, 0))
        assert f"m-results-[{expected}]" in talk(machine, "infer 2 0%")


def test_a_stack_that_grew_too_far_is_reported(tmp_path: Path, gcc: Toolchain) -> None:
    body = (
        "void cm4tiny_model_run(const int8_t *input, int8_t *output)\n"
        "{\n    volatile int8_t large[8400];\n    for (int i = 0; i < 8400; ++i) {\n        large[i] = input[0];\n    }\n"
        "    output[0] = large[3];\n}\n"
    )
    with VirtualBoard(build(tmp_path, gcc, body=body).elf) as machine:
        talk(machine)
        for command in load_commands(INPUT, 490):
            talk(machine, f"{command}%")
        answer = talk(machine, "infer 1 0%")
        assert "e-[Stack overflow]" in answer
        assert "m-results" not in answer


def test_a_crash_of_the_model_is_a_fault_with_its_address(tmp_path: Path, gcc: Toolchain) -> None:
    body = "void cm4tiny_model_run(const int8_t *input, int8_t *output)\n{\n    (void)input;\n    (void)output;\n    __builtin_trap();\n}\n"
    with VirtualBoard(build(tmp_path, gcc, body=body).elf) as machine:
        talk(machine)
        for command in load_commands(INPUT, 490):
            talk(machine, f"{command}%")
        with pytest.raises(DeviceFaultError):
            talk(machine, "infer 1 0%")


def run_handler(elf: Path, name: str, stack: int, frame: bytes = b"") -> str:
    """Enters an exception handler by hand, as the core would, and returns what it sends; the handler must end asleep."""
    image = read_elf(elf)
    machine = open_core()
    machine.mem_map(FLASH.start, FLASH.size)
    machine.mem_map(RAM.start, RAM.size)
    for segment in image.segments:
        machine.mem_write(segment.address, segment.data)
    if frame:
        machine.mem_write(stack, frame)
    sent = bytearray()
    registers = {0x40008000: 1, 0x4000801C: 0xC0, 0xE000ED28: 0x00008200}  # port enabled; transmitter free; precise bus fault

    def write(_: object, offset: int, size: int, value: int, base: int) -> None:
        if base + offset == 0x40008028:
            sent.append(value)

    for base in (0x40000000, 0xE0000000):
        machine.mmio_map(base, 0x10000, lambda _, offset, size, base: registers.get(base + offset, 0), base, write, base)
    machine.reg_write(arm.UC_ARM_REG_SP, stack)
    machine.reg_write(arm.UC_ARM_REG_LR, 0xFFFFFFF9)
    machine.emu_start(image.symbols[name].address | 1, 0, count=100_000)
    return sent.decode()


def test_the_fault_handler_tells_where_and_why(tmp_path: Path, gcc: Toolchain) -> None:
    frame = struct.pack("<8I", 0, 0, 0, 0, 0, 0x08001235, 0x08004320, 0x01000000)
    elf = build(tmp_path, gcc).elf
    said = run_handler(elf, "HardFault_Handler", (read_elf(elf).vector_table or (0, 0))[0] - 64, frame)
    assert said == "\r\ne-[HardFault pc=08004320 lr=08001235 cfsr=00008200]\r\n"


def test_the_fault_handler_survives_a_stack_outside_ram(tmp_path: Path, gcc: Toolchain) -> None:
    said = run_handler(build(tmp_path, gcc).elf, "HardFault_Handler", RAM.start - 32)
    assert said == "\r\ne-[HardFault pc=00000000 lr=00000000 cfsr=00008200]\r\n"


def test_an_interrupt_that_nobody_asked_for_is_reported(tmp_path: Path, gcc: Toolchain) -> None:
    said = run_handler(build(tmp_path, gcc).elf, "Default_Handler", RAM.end - 64)
    assert said == "\r\ne-[Unexpected exception 00000000]\r\n"


def test_a_model_that_needs_too_much_ram_says_by_how_much(tmp_path: Path, any_chain: Toolchain) -> None:
    body = (
        "static int8_t arena[640 * 1024];\nvoid cm4tiny_model_run(const int8_t *input, int8_t *output)\n"
        "{\n    memcpy(arena, input, sizeof arena);\n    memcpy(output, arena + input[0], 12);\n}\n"
    )
    with pytest.raises(ImageTooLargeError, match=r"the firmware is 1\d{4} bytes too large for RAM\n"):
        build(tmp_path, any_chain, body=body)


def test_a_model_that_needs_too_much_flash_says_by_how_much(tmp_path: Path, any_chain: Toolchain) -> None:
    body = (
        "static const int8_t weights[2 * 1024 * 1024] = {1};\nvoid cm4tiny_model_run(const int8_t *input, int8_t *output)\n"
        "{\n    output[0] = weights[4096 * (uint8_t)input[0]];\n}\n"
    )
    with pytest.raises(ImageTooLargeError, match=r"bytes too large for flash"):
        build(tmp_path, any_chain, body=body)


def test_a_model_that_needs_a_c_library_is_a_compile_error_with_the_missing_name(tmp_path: Path, any_chain: Toolchain) -> None:
    body = (
        "double exp(double);\nvoid cm4tiny_model_run(const int8_t *input, int8_t *output)\n{\n    output[0] = (int8_t)exp(input[0]);\n}\n"
    )
    with pytest.raises(CompileError, match="cannot link the firmware") as caught:
        build(tmp_path, any_chain, body=body)
    assert "exp" in caught.value.why


def test_a_syntax_error_in_a_model_is_a_compile_error_with_its_line(tmp_path: Path, any_chain: Toolchain) -> None:
    with pytest.raises(CompileError, match=r"cannot compile generated/model\.c") as caught:
        build(tmp_path, any_chain, body="void cm4tiny_model_run(\n")
    assert "model.c:" in caught.value.why
