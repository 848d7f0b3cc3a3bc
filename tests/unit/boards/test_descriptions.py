# SPDX-License-Identifier: Apache-2.0
"""Descriptions of boards and chips: what is read from them, and that a wrong one is refused with its file, its field and a hint."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fictional_board import board_row, chip_row, write

from cm4tiny.boards import boards, chips
from cm4tiny.boards.boards import BoardDescription, Pin, all_boards, default_board, find_board, read_board
from cm4tiny.boards.chips.clock_tree import Field
from cm4tiny.boards.description_files import MAX_BYTES
from cm4tiny.boards.virtual.chip_header import description_header
from cm4tiny.errors import Cm4TinyError, DescriptionError, UsageError
from cm4tiny.firmware.board_files import header, memory_script
from cm4tiny.firmware.flags import compile_flags
from cm4tiny.paths import firmware_sources

TREE: dict[str, Any] = yaml.safe_load((chips.FOLDER / "stm32u575zi.yaml").read_text(encoding="utf-8"))["clock_tree"]


def refusal(folder: Path, board: dict[str, Any] | None = None, chip: dict[str, Any] | None = None) -> DescriptionError:
    with pytest.raises(DescriptionError) as caught:
        read_board(write(folder, board, chip))
    assert str(folder) in caught.value.what and caught.value.why and caught.value.hint
    return caught.value


def changed(row: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    row = copy.deepcopy(row)
    change(row)
    return row


# --- those that come with the package -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", all_boards(), ids=lambda board: board.key)
def test_each_board_that_comes_with_the_package_can_be_emulated_and_built_for_if_its_chip_has_start_up_code(
    board: BoardDescription,
) -> None:
    if board.chip.start_up:
        assert (firmware_sources() / "chips" / board.chip.start_up / "link.ld").is_file()
        assert header(board) and memory_script(board)
    assert description_header(board)
    assert find_board(board.env_name) is not None and find_board(board.name).key == board.key


def test_the_default_board_is_the_one_that_says_so() -> None:
    board = default_board()
    assert (board.name, board.is_default) == ("NUCLEO-L4R5ZI", True)
    assert [other.name for other in all_boards() if other.is_default] == [board.name]
    assert find_board() is board


def test_facts_of_the_default_board_are_those_of_its_manuals() -> None:
    """RM0432 and UM2179, typed in a second time: a slip of the pen in a description is noticed."""
    board, chip = default_board(), default_board().chip
    assert (chip.flash.start, chip.flash.size, chip.flash.aliases) == (0x0800_0000, 2 << 20, (0,))
    assert (chip.ram.start, chip.ram.size, chip.ram.name) == (0x2000_0000, 640 << 10, "RAM")
    assert [(m.start, m.size, m.aliases) for m in chip.memory if m.kind == "ram"] == [
        (0x2000_0000, 192 << 10, ()),
        (0x2003_0000, 64 << 10, (0x1000_0000,)),
        (0x2004_0000, 384 << 10, ()),
    ]
    assert (chip.core.name, chip.core.fpu, chip.core.interrupts) == ("cortex-m4", "fpv4-sp-d16", 95)
    assert (chip.flash_geometry.instruction_lines, chip.flash_geometry.data_lines, chip.flash_geometry.line_bytes) == (32, 8, 32)
    assert chip.flash_geometry.page_bytes == 4096
    assert (chip.identity.dev_ids, chip.identity.idcode & 0xFFF) == ((0x470,), 0x470)
    assert (chip.identity.idcode_address, chip.identity.uid_address) == (0xE004_2000, 0x1FFF_7590)
    assert (board.com_port.uart, str(board.com_port.tx), str(board.com_port.rx)) == ("LPUART1", "PG7", "PG8")
    assert (board.com_port.tx_function, board.com_port.rx_function, str(board.timestamp_pin)) == (8, 8, "PF13")
    assert board.smps is not None and [str(p) for p in (board.smps.enable, board.smps.power_good, board.smps.switch)] == [
        "PG11",
        "PG12",
        "PG13",
    ]
    assert (board.clock.hclk_hz, board.clock.wait_states, board.supply_v) == (120_000_000, 5, 1.8)
    assert (board.stack_bytes, board.red_zone_bytes) == (8192, 1024)
    assert board.openocd == ("interface/stlink.cfg", "target/stm32l4x.cfg")
    assert (chip.pyocd_target, chip.pyocd_pack) == ("stm32l4r5zitx", "Keil.STM32L4xx_DFP")
    lpuart, usart3 = chip.peripheral("LPUART1"), chip.peripheral("USART3")
    assert (lpuart.base, lpuart.enable_offset, lpuart.enable_bit, lpuart.kernel_clock) == (0x4000_8000, 0x5C, 0, Field(0, 10, 2))
    assert (usart3.base, usart3.enable_offset, usart3.enable_bit, usart3.kernel_clock) == (0x4000_4800, 0x58, 18, Field(0, 4, 2))
    clocks = [chip.peripheral(f"{kind}").kernel_clock for kind in ("USART1", "USART2", "UART4", "UART5")]
    assert clocks == [Field(0, bit, 2) for bit in (0, 2, 6, 8)]
    assert (chip.clock.internal_hz, chip.clock.max_hz, chip.clock.wait_state_hz[:2]) == (16_000_000, 120_000_000, (20_000_000, 40_000_000))
    assert (chip.clock.pll_input_hz, chip.clock.pll_oscillator_hz) == ((2_660_000, 16_000_000), (64_000_000, 344_000_000))


def test_boards_of_one_chip_and_probe_differ_by_their_drives() -> None:
    first, second = (board for board in all_boards() if board.chip == default_board().chip)
    assert first.usb_ids == second.usb_ids
    assert first.volume_labels and second.volume_labels
    labels = [label for board in all_boards() for label in board.volume_labels]
    assert len(set(labels)) == len(labels)


def test_an_unknown_board_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="no description of a board") as caught:
        find_board("NUCLEO_L4R5ZJ")
    assert "NUCLEO_L4R5ZI" in caught.value.hint
    with pytest.raises(UsageError):
        find_board("../boards/nucleo-l4r5zi")


# --- another one, as data --------------------------------------------------------------------------------------------------------


def test_a_board_is_added_by_two_files(tmp_path: Path) -> None:
    board = find_board(str(write(tmp_path)))
    assert (board.key, board.env_name, board.name, board.chip.name) == ("fiction-board", "FICTION_BOARD", "FICTION-BOARD", "FICTION1")
    assert (board.chip.flash.size, board.chip.ram.size, board.supply_v, board.smps) == (1 << 20, 384 << 10, 3.0, None)
    assert (board.com_port.uart, board.com_port.tx, board.com_port.tx_function) == ("USART3", Pin(3, 8), 7)
    text = header(board)
    for line in (
        "VCP_BASE 0x40004800u", "VCP_IS_LPUART 0", "VCP_ENABLE_REGISTER 0x40021058u", "VCP_ENABLE_BIT 18u", "VCP_KERNEL_CLOCK_SHIFT 4u",
        "VCP_TX_PORT 0x48000C00u", "VCP_TX_PIN 8u", "VCP_RX_PIN 9u", "TIMESTAMP_PORT 0x48001000u", "TIMESTAMP_PIN 9u",
        "PINS_ENABLE_MASK 0x00000018u", "CLOCK_SYSTEM_HZ 96000000u", "CLOCK_PLL_N 24u", "CLOCK_FLASH_WAIT_STATES 4u", "VCP_ON_VDDIO2 0",
    ):  # fmt: skip
        assert f"#define {line}\n" in text
    script = memory_script(board)
    assert "LENGTH = 1024K" in script and "LENGTH = 384K" in script and "_stack_size = 4096;" in script
    for line in (
        "FLASH_SIZE 0x00100000u", "SRAM_SIZE 0x00060000u", "RAM_BYTES 0x00060000u", "TIMESTAMP_PORT 4u", "HAS_SMPS 0",
        "RAM_WINDOWS(X) X(0x20000000u, 0x00060000u, 0x00000000u) X(0x10000000u, 0x00020000u, 0x00040000u)",
        "RAM_BANKS(X) X(0x20000000u, 0x00040000u, 1u) X(0x20040000u, 0x00020000u, 2u)",
        "OUTSIDE_RAM(X) X(0x00000000u, 0x0FFFFFFFu) X(0x10020000u, 0x1FFFFFFFu) X(0x20060000u, 0xFFFFFFFFu)",
    ):  # fmt: skip
        assert f"#define {line}\n" in description_header(board)


def test_a_chip_next_to_the_board_comes_before_one_of_the_package(tmp_path: Path) -> None:
    own = default_board().chip.key
    board = changed(board_row(), lambda row: row.update(chip=own))
    assert read_board(write(tmp_path, board)).chip.name == default_board().chip.name
    (tmp_path / "fiction1.yaml").rename(tmp_path / f"{own}.yaml")
    assert read_board(tmp_path / "fiction-board.yaml").chip.name == "FICTION1"


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path)
    before = read_board(path)
    path.write_text(path.read_text(encoding="utf-8").replace("FICTION-BOARD", "FICTION-BOARD-2"), encoding="utf-8")
    after = read_board(path)
    assert (before.name, after.name) == ("FICTION-BOARD", "FICTION-BOARD-2")
    assert before.sha256 != after.sha256


def test_flags_of_a_chip_reach_the_compiler(tmp_path: Path) -> None:
    chip = changed(chip_row(), lambda row: row["core"]["flags"].reverse())
    board = read_board(write(tmp_path, chip=chip))
    assert compile_flags("model.c", "gcc", board.chip)[0] == "-mfloat-abi=hard"
    assert compile_flags("model.c", "gcc")[0] == "-mcpu=cortex-m4"


def tree(**changes: Any) -> dict[str, Any]:
    return {**TREE, **changes}


# --- refused ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field", "why"),
    [
        (lambda r: r.pop("stack_bytes"), "top level", "stack_bytes"),
        (lambda r: r.update(stack_bytes=100), "stack_bytes", "100 is less than"),
        (lambda r: r.update(stack_bytes=1 << 19), "stack_bytes", "fill the 393216 bytes of RAM"),
        (lambda r: r.update(colour="red"), "top level", "'colour' was unexpected"),
        (lambda r: r.update(timestamp_pin="PF13"), "timestamp_pin", "does not match"),
        (lambda r: r.update(timestamp_pin="D8"), "timestamp_pin", "PD8 is used twice"),
        (lambda r: r["virtual_com_port"].update(tx="G7"), "virtual_com_port/tx", "PG7 is not a pin of USART3"),
        (lambda r: r["virtual_com_port"].update(uart="UART9"), "virtual_com_port/uart", "is not one of"),
        (lambda r: r["clock"].update(hclk_hz=97_000_000), "clock/hclk_hz", "is 9.6e+07 Hz"),
        (lambda r: r["clock"].update(wait_states=3), "clock/wait_states", "needs 4"),
        (lambda r: r["clock"].update(hclk_hz=124_000_000, pll={"m": 2, "n": 31, "r": 2}), "clock/hclk_hz", "runs at 120000000 Hz at most"),
        (lambda r: r["clock"]["pll"].update(m=8, n=96), "clock/pll", "input would run at 2e+06 Hz"),
        (lambda r: r["clock"].update(hclk_hz=62_000_000, pll={"m": 2, "n": 62, "r": 8}), "clock/pll", "oscillator would run at 4.96e+08"),
        (lambda r: r["clock"].update(hclk_hz=1_000_000.5), "clock/hclk_hz", "is not of type 'integer'"),
        (lambda r: r.update(supply_v=5), "supply_v", "takes 1.71 to 3.6 V"),
        (lambda r: r["probe"].update(openocd="interface/x.cfg; shutdown"), "probe/openocd", "does not match"),
        (lambda r: r["probe"].update(usb_ids=[]), "probe/usb_ids", ""),
        (lambda r: r.update(smps_pins={"enable": "D8", "power_good": "G12", "switch": "G13"}), "smps_pins", "PD8 is used twice"),
    ],
)
def test_a_wrong_board_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], object], field: str, why: str) -> None:
    error = refusal(tmp_path, changed(board_row(), change))
    assert field in error.what and why in error.why


@pytest.mark.parametrize(
    ("change", "field", "why"),
    [
        (lambda r: r["memory"][1].update(bytes=0x5_0000), "first and second overlap", "second begins at 0x20040000"),
        (lambda r: r["memory"][2].update(aliases=[0x2002_0000]), "second overlap", "0x20020000"),
        (lambda r: r["memory"][2].update(name="first"), "memory", "two regions are called 'first'"),
        (lambda r: r["memory"][0].update(access="rwx"), "memory/flash/access", "no plain store"),
        (lambda r: r["memory"][1].update(access="rx"), "memory/first/access", "read and written"),
        (lambda r: r["memory"][0].update(kind="ram", access="rwx"), "memory", "0 regions are flash"),
        (lambda r: r["memory"][0].update(start=0xFFFF_0000), "ends at 0x1000F0000", "32 bits"),
        (lambda r: r["memory"][0].update(start=-1), "memory/0/start", "-1 is less than"),
        (lambda r: r["memory"][0].update(bytes=0x10_0400), "flash/page_bytes", "whole pages of 4096"),
        (lambda r: r["core"]["flags"].append({"text": "-fplugin=x.so", "families": ["gcc"], "why": "x"}), "core/flags", "does not match"),
        (
            lambda r: r["core"]["flags"].append({"text": "-O9", "families": ["gcc"], "why": "x"}),
            "core/flags/6/text",
            "'-O9' does not match",
        ),
        (lambda r: r["core"]["flags"].pop(0), "core/flags", "no flag -mcpu=cortex-m4 for gcc"),
        (lambda r: r["core"]["flags"][0].update(text="-mcpu=cortex-m7"), "core/flags", "no flag -mcpu=cortex-m4 for gcc"),
        (lambda r: r["core"]["flags"].pop(5), "core/flags", "no flag -mcpu= for clang"),
        (lambda r: r["core"].update(name="cortex-m85"), "core/name", "'cortex-m85' is not one of"),
        (lambda r: r.update(start_up="../host"), "start_up", "does not match"),
        (lambda r: r["clock"].update(wait_state_hz=[20_000_000, 10_000_000]), "clock/wait_state_hz", "allows a faster clock"),
        (lambda r: r["clock"].update(wait_state_hz=[20_000_000]), "clock/wait_state_hz", "allows max_hz"),
        (lambda r: r["clock"].update(pll_input_hz=[2, 1]), "clock/pll_input_hz", "2 is not less than 1"),
        (lambda r: r.update(supply_v=[3.6, 1.7]), "supply_v", "3.6 V is not less"),
        (lambda r: r["peripherals"][0].update(clock=["AHB9ENR", 0]), "peripherals/TIM2/clock", "'AHB9ENR' is none of"),
        (lambda r: r["peripherals"][1].update(name="TIM2"), "peripherals", "'TIM2' stands there twice"),
        (lambda r: r["peripherals"][1].update(base=0x4000_0000), "TIM2 and TIM3 overlap", "TIM3 begins at"),
        (lambda r: r.update(peripherals=[p for p in r["peripherals"] if p["name"] != "RCC"]), "peripherals", "RCC is missing"),
        (lambda r: r.update(peripherals=[p for p in r["peripherals"] if p["name"] != "UART5"]), "peripherals", "UART5 is missing"),
        (lambda r: next(p for p in r["peripherals"] if p["name"] == "UART5").pop("clock"), "peripherals/UART5", "has a clock"),
        (lambda r: r.update(clock_tree=tree(system_inputs=["MSI"])), "clock_tree/system_inputs", "'MSI' is none of its clocks"),
        (lambda r: r.update(clock_tree=tree(system=[3, 0, 2])), "clock_tree/system", "3 is not a multiple of 4"),
        (lambda r: r.update(clock_tree=tree(oscillators=[{"name": "HSE", "hz": [1, 2]}])), "clock_tree/", "none of its clocks"),
        (lambda r: r.update(clock_tree=tree(buses={"APB1": [0, 0, 3]})), "/bus", "'APB2' has no prescaler"),
        (lambda r: r["uart_pins"].pop("USART3"), "virtual_com_port/uart", "has no pins for USART3"),
        (lambda r: r.update(peripherals=[p for p in r["peripherals"] if p["name"] != "GPIOE"]), "PE9", "has no GPIOE"),
    ],
)
def test_a_wrong_chip_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], object], field: str, why: str) -> None:
    error = refusal(tmp_path, chip=changed(chip_row(), change))
    assert field in error.what and why in error.why


def test_a_chip_that_is_not_described_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, changed(board_row(), lambda row: row.update(chip="fiction2")))
    with pytest.raises(DescriptionError, match="no description of a chip 'fiction2'") as caught:
        read_board(path)
    assert "fiction1" in caught.value.hint


BOMB = "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB, "refers to an anchor"),
        ("name: A\nname: B\n", "'name' stands there twice"),
        ("[" * 5000, ""),
        ("name: !!python/object/apply:os.system [id]\n", "could not determine a constructor"),
        ("? [a]\n: b\n", ""),
        ("\t", ""),
        ("", "is not of type 'object'"),
        ("name: \x00\n", ""),
    ],
)
def test_what_is_not_plain_yaml_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DescriptionError) as caught:
        read_board(path)
    assert why in caught.value.why and caught.value.hint


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DescriptionError, match="cannot be used: the file"):
        read_board(tmp_path / "nothing.yaml")
    with pytest.raises(DescriptionError, match="cannot be used: the file"):
        read_board(tmp_path)
    (tmp_path / "a.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(DescriptionError, match="cannot be used: the file"):
        read_board(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(DescriptionError, match="cannot be used: the file"):
        read_board(tmp_path / "b.yaml")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_damage_of_a_description_causes_another_error(tmp_path: Path, data: st.DataObject) -> None:
    path = write(tmp_path)
    victim = data.draw(st.sampled_from([path, tmp_path / "fiction1.yaml"]))
    content = bytearray(victim.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    victim.write_bytes(content)
    try:
        board = read_board(path)
        assert header(board) and memory_script(board) and description_header(board)
    except Cm4TinyError as error:
        assert error.hint


def of(row: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(p for p in row["peripherals"] if p["name"] == name)
    return found


# --- what the virtual chip is not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda r: r["memory"][0].update(bytes=0x18_0000), "power of two"),
        (lambda r: r["memory"][0].update(aliases=[]), "no memory is at its boot address"),
        (lambda r: r["memory"][0].update(aliases=[0x0008_0000]), "at multiples of its size"),
        (lambda r: r["memory"][2].update(bytes=0x2_0400), "multiple of 4 KB"),
        (lambda r: r["memory"][2].update(bytes=0x0200_0000), "more than 16 MB"),
        (lambda r: r["memory"][2].update(start=0x6000_0000), "among peripherals"),
        (lambda r: r.update(memory=r["memory"][:3]), "0 regions are of the kind rom"),
        (lambda r: r["identity"].update(uid_address=0x1FF0_0000), "unique id"),
        (lambda r: r["identity"].update(flash_kb_address=0x1FFF_FFFF), "signature at 0x1FFFFFFF"),
        (lambda r: of(r, "RCC").pop("driver"), "has no driver"),
        (lambda r: of(r, "DMAMUX1").pop("driver"), "drivers are missing: dmamux"),
        (lambda r: of(r, "TIM2").update(irq=95), "TIM2 has the interrupts [95]"),
        (lambda r: of(r, "DMA1").update(irq=11), "DMA1 has the interrupts [11]"),
        (lambda r: of(r, "USART1").pop("bus"), "USART1 has no bus"),
        (lambda r: of(r, "SAI1").update(driver="registers"), "SAI1 has the interrupts [74]"),
        (lambda r: of(r, "SYSCFG").update(driver="crc"), "2 peripherals have the driver crc"),
        (lambda r: of(r, "GPIOA").update(size=0x100), "GPIOA has 0x100 bytes"),
        (lambda r: of(r, "GPIOA").update(reset=[[0x400, 1]]), "a reset value or an answer of GPIOA"),
        (lambda r: of(r, "SYSCFG").update(answers=[[0, 0, 1, 0x400, 0]]), "a reset value or an answer of SYSCFG"),
        (lambda r: r.update(clock_tree=TREE), "a clock_tree and no driver rcc"),
        (
            lambda r: (r["core"].update(name="cortex-m33"), r["core"]["flags"][0].update(text="-mcpu=cortex-m33")),
            "cortex-m33 with the FPU fpv4",
        ),
        (lambda r: of(r, "RCC").update(driver="rcc"), "a clock_tree and no driver rcc, or the other way round"),
        (lambda r: (of(r, "RCC").update(driver="rcc"), r.update(clock_tree=TREE)), "drivers are missing: rcc-l4"),
        (lambda r: of(r, "SYSCFG").update(driver="gpio"), "a port is called SYSCFG"),
        (lambda r: of(r, "TIM2").update(driver="usart"), "a UART is called TIM2"),
    ],
)
def test_a_chip_that_cannot_be_emulated_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], object], why: str) -> None:
    board = read_board(write(tmp_path, chip=changed(chip_row(), change)))
    with pytest.raises(DescriptionError, match="cannot be emulated") as caught:
        description_header(board)
    assert why in caught.value.why and "docs/add-a-board.md" in caught.value.hint


def test_the_folders_hold_descriptions_only() -> None:
    assert chips.chip_names() == tuple(sorted(path.stem for path in chips.FOLDER.glob("*.yaml")))
    assert {board.key for board in all_boards()} == {path.stem for path in boards.FOLDER.glob("*.yaml")}


# --- the page -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "section"), [(boards.FOLDER / "board.schema.json", "The board"), (chips.FOLDER / "chip.schema.json", "The chip")]
)
def test_the_page_explains_each_field(schema: Path, section: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "add-a-board.md").read_text(encoding="utf-8")
    text = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    explained = {name.strip(" `") for row in rows for name in row.split(",")}
    assert explained == set(json.loads(schema.read_text(encoding="utf-8"))["properties"])
