# SPDX-License-Identifier: Apache-2.0
"""What the callees of a function cost: the parts add up to the call, whatever way calls take, and watching changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plain_core import FLASH, FLASH_BYTES, SRAM, SRAM_BYTES, PlainCore
from support.trace_witness import TraceWitness
from trace_programs import build_trace_firmware
from virtual_board_programs import ask, numbers

from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual.loader import FunctionSymbol
from cm4tiny.boards.virtual.trace import TraceCost, TraceKind, TraceSegment
from cm4tiny.deadline import Deadline
from cm4tiny.errors import BoardError, DeviceFaultError, UsageError


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_trace_firmware(tmp_path_factory.mktemp("trace"))


def function(board: VirtualBoard, name: str) -> FunctionSymbol:
    return next(symbol for symbol in board.functions if symbol.name == name)


def traced(firmware: Path, root: str, *commands: bytes) -> tuple[list[TraceSegment], dict[int, str], list[bytes]]:
    """Segments, names by address, and the answers."""
    with VirtualBoard(firmware, exact=True) as board:
        ask(board, b"")
        with board.trace(function(board, root)) as segments:
            answers = [ask(board, command + b"%") for command in commands]
        return segments, {symbol.address: symbol.name for symbol in board.functions}, answers


def total(segments: list[TraceSegment]) -> TraceCost:
    return sum((segment.cost for segment in segments), TraceCost())


def split(segments: list[TraceSegment], call: int = 1) -> tuple[TraceSegment, list[TraceSegment]]:
    (whole,) = (s for s in segments if s.call == call and s.kind is TraceKind.WHOLE)
    return whole, [s for s in segments if s.call == call and s.kind is not TraceKind.WHOLE]


def callees(segments: list[TraceSegment], names: dict[int, str], call: int = 1) -> list[str]:
    return [names[s.address] for s in segments if s.call == call and s.kind is TraceKind.CALLEE]


@pytest.mark.parametrize(
    ("root", "command", "expected"),
    [
        ("chain", b"c", ["layer_a", "layer_b", "layer_a"]),
        ("tail", b"t", ["layer_a", "layer_b"]),
        ("again", b"r", ["deeper", "layer_b"]),
        ("calls_ram", b"m", ["in_ram"]),
    ],
)
def test_the_callees_are_told_apart_and_add_up(firmware: Path, root: str, command: bytes, expected: list[str]) -> None:
    segments, names, answers = traced(firmware, root, command, command)
    whole, parts = split(segments, 2)
    assert callees(segments, names, 1) == callees(segments, names, 2) == expected
    assert whole.complete
    assert total(parts) == whole.cost
    by_function = [sum(segment.functions.values(), TraceCost()) for segment in parts]
    assert by_function == [segment.cost for segment in parts]
    cycles = numbers(answers[1])[0]  # by the firmware's own cycle counter, around the call
    assert 0 < cycles - whole.cost.ticks / 1000 < 150


def test_a_call_has_its_cost_whatever_it_calls_inside(firmware: Path) -> None:
    segments, names, _ = traced(firmware, "chain", b"c")
    layer = next(s for s in segments if names[s.address] == "layer_a")
    with VirtualBoard(firmware) as board:
        index = {i: symbol.name for i, symbol in enumerate(board.functions, 1)}
    inside = {index[i]: cost for i, cost in layer.functions.items()}
    assert set(inside) == {"layer_a", "kernel"}
    assert inside["kernel"].instructions > 200 * 4 > inside["layer_a"].instructions
    assert layer.data_bytes >= 200 * 4
    assert layer.ram_bytes >= 32 * 4
    assert 20 < layer.code_bytes < 200


def test_what_is_used_in_all_is_not_the_sum_but_the_union(firmware: Path) -> None:
    segments, _, _ = traced(firmware, "chain", b"c")
    whole, parts = split(segments)
    for size in ("code_bytes", "data_bytes", "ram_bytes"):
        each = [getattr(part, size) for part in parts]
        assert max(each) <= getattr(whole, size) <= sum(each)
    assert whole.data_bytes < sum(part.data_bytes for part in parts)  # the weights of both calls of layer_a count once


@pytest.mark.parametrize(("root", "command"), [("chain", b"c"), ("tail", b"t"), ("again", b"r"), ("calls_ram", b"m")])
def test_a_witness_that_calls_the_root_by_itself_sees_the_same_work(firmware: Path, root: str, command: bytes) -> None:
    """Instructions and bytes; what the caches make of them depends on what ran before."""
    segments, _, _ = traced(firmware, root, command)
    with VirtualBoard(firmware) as board:
        ask(board, b"")
        symbol, functions = function(board, root), [(s.address, s.size) for s in board.functions]
        core = PlainCore(
            [(base, board.read_memory(base, size)) for base, size in ((FLASH, FLASH_BYTES), (SRAM, SRAM_BYTES))], wait_states=5
        )
    witness = TraceWitness(core, (symbol.address, symbol.size), functions)
    core.call(symbol.address, 3)
    assert [work(segment) for segment in segments] == [work(segment) for segment in witness.stop().segments]


def work(segment: TraceSegment) -> tuple[object, ...]:
    sizes = (segment.code_bytes, segment.data_bytes, segment.ram_bytes)
    inside = {function: cost.instructions for function, cost in segment.functions.items()}
    return segment.call, segment.kind, segment.address, segment.complete, segment.cost.instructions, sizes, inside


def test_watching_changes_no_count_and_ends(firmware: Path) -> None:
    commands = (b"c%", b"t%", b"r%", b"c%")
    with VirtualBoard(firmware, exact=True) as plain, VirtualBoard(firmware, exact=True) as watched:
        for board in (plain, watched):
            ask(board, b"")
        expected = [ask(plain, command) for command in commands]
        with watched.trace(function(watched, "chain")) as segments:
            answers = [ask(watched, command) for command in commands[:2]]
        answers += [ask(watched, command) for command in commands[2:]]
        assert answers == expected
        assert plain.statistics() == watched.statistics()
        assert {segment.call for segment in segments} == {1}
        with watched.guard as machine:  # nothing is recorded any more
            assert machine.stop_trace().segments == tuple(segments)
        with watched.trace(function(watched, "tail")) as more:
            ask(watched, b"t%")
        assert callees(more, {symbol.address: symbol.name for symbol in watched.functions}) == ["layer_a", "layer_b"]


def test_each_call_of_the_root_is_kept(firmware: Path) -> None:
    segments, names, _ = traced(firmware, "chain", b"c", b"t", b"c")
    assert [callees(segments, names, call) for call in (1, 2)] == [["layer_a", "layer_b", "layer_a"]] * 2
    assert max(segment.call for segment in segments) == 2
    for call in (1, 2):
        whole, parts = split(segments, call)
        assert total(parts) == whole.cost


def test_interrupts_are_kept_apart(firmware: Path) -> None:
    calm, names, _ = traced(firmware, "chain", b"c", b"c")
    segments, _, answers = traced(firmware, "chain", b"c", b"i")
    whole, parts = split(segments, 2)
    (interrupts,) = (s for s in parts if s.kind is TraceKind.INTERRUPT)
    assert callees(segments, names, 2) == ["layer_a", "layer_b", "layer_a"]
    assert total(parts) == whole.cost
    assert numbers(answers[1])[1] > 3
    assert interrupts.cost.instructions > 3 * 60
    _, expected = split(calm, 2)
    same = [s.cost.instructions for s in parts if s.kind is TraceKind.CALLEE]
    assert same == [s.cost.instructions for s in expected if s.kind is TraceKind.CALLEE]


def test_a_root_that_never_returns_is_incomplete(firmware: Path) -> None:
    with VirtualBoard(firmware, exact=True) as board:
        ask(board, b"")
        with board.trace(function(board, "gives_up")) as segments:
            ask(board, b"g%")  # it restarts
            ask(board, b"c%")
    whole, _ = split(segments)
    assert not whole.complete


def test_a_root_that_is_never_called_has_no_segments(firmware: Path) -> None:
    segments, _, _ = traced(firmware, "tail", b"c")
    assert segments == []


def test_a_crash_inside_the_root_is_reported_as_ever(firmware: Path) -> None:
    with VirtualBoard(firmware, exact=True) as board:
        ask(board, b"")
        board.link.write(b"b%")
        with pytest.raises(DeviceFaultError, match="breaks"), board.trace(function(board, "breaks")):
            while board.link.read(Deadline(1.0, board.link.clock)):
                pass


def test_too_many_calls_are_refused(firmware: Path) -> None:
    with VirtualBoard(firmware, exact=True) as board:
        ask(board, b"")
        with pytest.raises(BoardError, match="often makes more than 4096 calls") as caught, board.trace(function(board, "often")):
            ask(board, b"o%")
        assert "another function" in caught.value.hint


def test_one_trace_at_a_time(firmware: Path) -> None:
    with VirtualBoard(firmware, exact=True) as board:
        root = function(board, "chain")
        with board.trace(root), pytest.raises(BoardError, match="cannot start"), board.trace(root):
            pass


def test_a_trace_needs_exact_simulation_and_a_size(firmware: Path) -> None:
    with VirtualBoard(firmware) as board:
        with pytest.raises(UsageError, match="exact") as caught, board.trace(function(board, "chain")):
            pass
        assert "exact=True" in caught.value.hint
    nowhere = FunctionSymbol(0x0800_0100, 0, "label")
    with VirtualBoard(firmware, exact=True) as board, pytest.raises(UsageError, match="size of the function label"), board.trace(nowhere):
        pass
