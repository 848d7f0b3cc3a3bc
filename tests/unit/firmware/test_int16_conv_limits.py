# SPDX-License-Identifier: Apache-2.0
"""What the convolution and dense kernels on int16 tensors refuse, how they unroll and cover, and when weights may be merged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.int16_layers import int16_layer, storages

from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16 import conv, dense
from cm4tiny.firmware.kernels.int16.block import Epilogue, MacBlock, write_block
from cm4tiny.firmware.kernels.int16.cover import SHAPES, cover
from cm4tiny.firmware.kernels.int16.dense_block import DenseBlock, write_dense_block
from cm4tiny.firmware.kernels.int16.plan import groups, unrolls
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.schedule import Costed, schedule, schedule_merged
from cm4tiny.firmware.kernels.int16.storage import SLACK, nchw, nhwc
from cm4tiny.firmware.kernels.int16.weights import MERGED_LIMIT, merge, mergeable

ONE = (1, 1)
BLOCK = MacBlock((0, 16), (0, 8), 2, 2, (0,), 4, 4, (1, 2), (32, 32), (16, 16), Epilogue("relu"), 4, 0)


def found(window: Window, outputs: int = 4, **changes: Any) -> list[Any]:
    layer = int16_layer(np.random.default_rng(0), window, outputs, relu=True)
    source, target = storages(window, outputs, "NHWC", (0, 0, 0, 0))
    source, target = changes.pop("source", source), changes.pop("target", target)
    return conv.candidates(window, layer.weights, layer.requant, source, target, **changes)


class TestRefusals:
    def test_an_input_in_planes(self) -> None:
        with pytest.raises(KernelLimitError, match="its input is NCHW, not NHWC"):
            found(Window(4, 4, 8, ONE, ONE), source=nchw(4, 4, 8))

    def test_an_input_of_another_shape(self) -> None:
        with pytest.raises(KernelLimitError, match="its input has another shape"):
            found(Window(4, 4, 8, ONE, ONE), source=nhwc(4, 5, 8))

    def test_an_output_of_another_shape(self) -> None:
        with pytest.raises(KernelLimitError, match="its output has another shape"):
            found(Window(4, 4, 8, ONE, ONE), target=nhwc(4, 5, 4))

    def test_a_border_smaller_than_the_padding(self) -> None:
        with pytest.raises(KernelLimitError, match=r"has a border of \(1, 1, 1, 0\), but the window reads \(1, 1, 1, 1\)"):
            found(Window(4, 4, 8, (3, 3), ONE, (1, 1, 1, 1)), source=nhwc(4, 4, 8, (1, 1, 1, 0)))

    def test_rows_that_start_at_odd_elements(self) -> None:
        with pytest.raises(KernelLimitError, match="rows of its window start at odd elements"):
            found(Window(5, 2, 3, (2, 1), ONE), source=replace(nhwc(5, 2, 3), row=7))

    def test_reads_behind_the_input(self) -> None:
        window = Window(1, 4, 8, (1, 2), ONE)
        short = replace(nhwc(1, 4, 8), row=32 - SLACK - 8)
        with pytest.raises(KernelLimitError, match="elements beyond its input"):
            found(window, source=short)

    def test_channels_without_constants(self) -> None:
        with pytest.raises(ValueError, match="2 channels are not computed"):
            found(Window(4, 4, 8, ONE, ONE), live_outputs=2)

    def test_a_layer_without_live_channels(self) -> None:
        with pytest.raises(KernelLimitError, match="none of its channels is computed"):
            found(Window(4, 4, 8, ONE, ONE), live_outputs=0, constant_outputs=np.zeros(4, np.int8))

    def test_a_dense_layer_on_an_input_with_gaps(self) -> None:
        layer = int16_layer(np.random.default_rng(0), Window(1, 1, 8, ONE, ONE), 4, relu=True)
        weights = layer.weights.reshape(4, 8)
        with pytest.raises(KernelLimitError, match="its input has gaps"):
            dense.candidates(1, weights, layer.requant, nhwc(2, 2, 2, (0, 0, 0, 1)), nhwc(1, 1, 4))
        with pytest.raises(KernelLimitError, match="its output is not a single pixel"):
            dense.candidates(1, weights, layer.requant, nhwc(1, 1, 8), nhwc(2, 2, 1))
        with pytest.raises(KernelLimitError, match="its 3 input vectors are no pixels"):
            dense.candidates(3, weights, layer.requant, nhwc(2, 2, 8), nhwc(2, 2, 4))
        with pytest.raises(KernelLimitError, match="starts at an odd element"):
            dense.candidates(1, weights[:, :7], layer.requant, nhwc(1, 1, 7, (0, 1, 0, 0)), nhwc(1, 1, 4))

    def test_loops_that_leave_the_instruction_cache(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cm4tiny.firmware.kernels.int16.plan.ICACHE_LINES", 1)
        monkeypatch.setattr("cm4tiny.firmware.kernels.int16.dense.LINE_BYTES", 1024)
        layer = int16_layer(np.random.default_rng(0), Window(1, 1, 400, ONE, ONE), 4, relu=True)
        with pytest.raises(KernelLimitError, match="fits into the instruction cache"):
            found(Window(4, 4, 400, ONE, ONE))
        monkeypatch.setattr("cm4tiny.firmware.kernels.int16.dense.unrolls", lambda *_, merged: [(0, 100)])
        with pytest.raises(KernelLimitError, match="fits into the instruction cache"):
            dense.candidates(1, layer.weights.reshape(4, 400), layer.requant, nhwc(1, 1, 400), nhwc(1, 1, 4))

    def test_more_sums_than_registers(self) -> None:
        with pytest.raises(KernelLimitError, match="more registers"):
            write_block(replace(BLOCK, pixels=(0, 16, 32), outputs=(0, 8, 16), channels=3))
        with pytest.raises(KernelLimitError, match="no block of 9 channels"):
            write_dense_block(DenseBlock(4, 9, 2, 1, True, -128, 4, 0, False))

    def test_pixels_at_odd_elements(self) -> None:
        with pytest.raises(KernelLimitError, match="odd element"):
            write_block(replace(BLOCK, pixels=(0, 6)))

    def test_pixels_out_of_reach(self) -> None:
        with pytest.raises(KernelLimitError, match="loads and stores reach 4095"):
            write_block(replace(BLOCK, pixels=(0, 4096)))
        with pytest.raises(KernelLimitError, match="loads and stores reach 4095"):
            write_block(replace(BLOCK, outputs=(0, 4096)))


class TestMergedWeights:
    def test_values_are_the_first_channel_times_256_plus_the_second(self) -> None:
        assert merge(np.array([[-127, 3], [127, -3]], np.int16)).tolist() == [[-127 * 256 + 127, 3 * 256 - 3]]

    def test_a_sum_that_may_leave_24_bits_is_not_merged(self) -> None:
        most = (MERGED_LIMIT - 1) // 255 // 127
        weights = np.full((2, most), 127, np.int8)
        assert mergeable(weights)
        assert mergeable(-weights)
        longer = np.full((2, most + 1), 127, np.int8)
        assert not mergeable(longer)
        assert not mergeable(-longer)
        longer[:, ::2] *= -1  # positive and negative ones apart are small enough
        assert mergeable(longer)

    def test_a_pair_of_weights_that_leaves_16_bits_is_not_merged(self) -> None:
        assert not mergeable(np.array([[-128], [-1]], np.int8))
        assert mergeable(np.array([[-128], [0]], np.int8))

    def test_a_layer_that_cannot_be_merged_has_no_merged_candidates(self) -> None:
        window = Window(2, 2, 8, ONE, ONE)
        weights = np.full((2, 1, 1, 8), -128, np.int8)
        layer = int16_layer(np.random.default_rng(0), window, 2, relu=True, weights=weights)
        source, target = storages(window, 2, "NHWC", (0, 0, 0, 0))
        ids = [c.id for c in conv.candidates(window, weights, layer.requant, source, target)]
        assert ids
        assert not [i for i in ids if "merged" in i]
        flat = dense.candidates(1, weights[:, 0, 0], layer.requant, nhwc(1, 1, 8), nhwc(1, 1, 2))
        assert not [c.id for c in flat if "merged" in c.id]


class TestCandidates:
    def test_identifiers_are_stable_and_different(self) -> None:
        ids = [c.id for c in found(Window(8, 8, 16, ONE, ONE), 8)]
        assert len(ids) == len(set(ids))
        assert {
            "conv 1x4x2 ram",
            "conv 1x2x4 merged-ram",
            "conv 1x2x4 merged-flash",
            "conv 1x4x2 expanded",
            "conv 1x4x2 merged-staged",
            "conv 1x4x2 flash",
        } <= set(ids)

    def test_the_fastest_comes_first(self) -> None:
        cycles = [c.cycles for c in found(Window(8, 8, 16, ONE, ONE), 8)]
        assert cycles == sorted(cycles)

    def test_only_weights_in_ram_count_as_ram_and_merged_ones_half(self) -> None:
        by_id = {c.id: c for c in found(Window(8, 8, 16, ONE, ONE), 8)}
        assert by_id["conv 1x2x4 ram"].ram_bytes == 8 * 16 * 2 + 8 * 12  # one shift for all channels
        assert by_id["conv 1x2x4 merged-ram"].ram_bytes == 8 * 16 + 8 * 12
        assert by_id["conv 1x2x4 flash"].ram_bytes == by_id["conv 1x2x4 expanded"].ram_bytes == 0
        assert by_id["conv 1x2x4 expanded"].workspace_bytes == 8 * 16 * 2
        assert by_id["conv 1x2x4 merged-staged"].workspace_bytes == 8 * 16

    def test_what_is_announced_is_what_is_made(self) -> None:
        for candidate in found(Window(4, 4, 16, ONE, ONE), 5)[::5]:
            kernel = candidate.make()
            assert kernel.ram_bytes == candidate.ram_bytes
            assert sum(kernel.workspaces) == candidate.workspace_bytes

    def test_the_scratch_takes_a_few_kilobytes_or_one_block(self) -> None:
        for c in found(Window(4, 4, 512, ONE, ONE), 64):
            block = 512 * int(c.id.split()[1].split("x")[2]) * (1 if "merged" in c.id else 2)
            if "staged" in c.id or "expanded" in c.id:
                assert 0 < c.workspace_bytes <= max(4096, block)


class TestInstructionCache:
    @staticmethod
    def lines(assembly: tuple[str, ...], label: str) -> int:
        """Cache lines from a label to the last branch back to it; every instruction has four bytes."""
        at, start, end = 0, None, 0
        for line in assembly:
            if line == f"{label}:":
                start = at
            at += 0 if line.endswith(":") else 4
            if line.endswith(f" {label}b"):
                end = at
        return 0 if start is None else (end - 1) // 32 - start // 32 + 1

    @pytest.mark.parametrize("channels", [8, 20, 36])
    def test_loops_over_tiles_fit_line_by_line(self, channels: int) -> None:
        for candidate in found(Window(8, 8, channels, (3, 3), (2, 2), (0, 0, 1, 1)), 2) + found(Window(8, 8, channels, ONE, ONE), 4):
            for function in candidate.make().code:
                assert self.lines(function.assembly, "1") <= 32, candidate.id


class TestGroups:
    def test_what_is_left_over_gets_smaller_blocks(self) -> None:
        assert groups(11, 4) == [(0, 8, 4), (8, 10, 2), (10, 11, 1)]
        assert groups(0, 4) == []

    def test_all_unrollings_are_complete(self) -> None:
        for pairs in range(1, 100):
            for first, unrolled, down in unrolls(pairs, 3, 2, 4, down=True):
                length = 3 if down else pairs
                assert first == length if unrolled == 0 else (length - first) % unrolled == 0 and (length - first) // unrolled >= 2
        assert unrolls(8, 1, 4, 2, down=False) == [(8, 0, False)]

    def test_many_short_rows_are_unrolled_down_the_window(self) -> None:
        assert unrolls(2, 10, 4, 2, down=True)[0] == (2, 4, True)


class TestCover:
    @pytest.mark.parametrize("size", [(1, 1), (5, 5), (3, 7), (25, 5), (1, 125), (6, 6)])
    def test_every_pixel_is_computed(self, size: tuple[int, int]) -> None:
        costs = {s: 10.0 + 30 * s[0] * s[1] for s in SHAPES}
        for shape in SHAPES:
            regions = cover(*size, shape, costs, 60)
            if regions is None:
                assert shape[0] > size[0] or shape[1] > size[1]
                continue
            done = np.zeros(size, int)
            for r in regions:
                done[r.y : r.y + r.shape[0] * r.tiles[0], r.x : r.x + r.shape[1] * r.tiles[1]] += 1
                assert r.y + r.shape[0] * r.tiles[0] <= size[0]
                assert r.x + r.shape[1] * r.tiles[1] <= size[1]
            assert done.min() >= 1

    def test_a_cheap_tile_overlaps_rather_than_leaving_single_pixels(self) -> None:
        costs = {s: 100.0 if s == (1, 4) else 150.0 for s in SHAPES}
        regions = cover(1, 7, (1, 4), costs, 0)
        assert regions is not None
        assert [(r.x, r.shape, r.tiles) for r in regions] == [(0, (1, 4), (1, 1)), (3, (1, 4), (1, 1))]


class TestSchedule:
    @staticmethod
    def cost(pixels: int, channels: int, *, merged: bool) -> float:
        words, pairs = channels // 2 if merged else channels, 8
        asm = Costed()
        acc, temps = [f"a{i}" for i in range(pixels * channels)], [f"t{i}" for i in range(12 - pixels * channels)]
        addresses = [([f"[r0, #{j}.{p}]" for p in range(pixels)], [f"[r1, #{j}.{q}]" for q in range(words)]) for j in range(pairs)]
        asm.emit_all(*(schedule_merged if merged else schedule)(addresses, acc, temps))
        assert sum("smlad" in line for line in asm.lines) == pairs * pixels * channels
        return asm.cycles / pairs

    def test_cycles_per_pair_are_the_documented_ones(self) -> None:
        assert self.cost(4, 2, merged=False) == self.cost(2, 4, merged=False) == self.cost(4, 2, merged=True) == 16
        assert self.cost(2, 4, merged=True) == 15
        assert self.cost(3, 2, merged=False) == self.cost(3, 2, merged=True) == 12
        assert self.cost(1, 8, merged=True) < 18.6

    def test_the_first_products_may_start_from_nothing(self) -> None:
        lines = schedule([(["[r0]"], ["[r1]", "[r1, #4]"])], ["r4", "r5"], ["r2", "r3", "r6"], [None, "r9"])
        assert lines == ["ldr r2, [r0]", "ldr r3, [r1]", "ldr r6, [r1, #4]", "smuad r4, r2, r3", "smlad r5, r2, r6, r9"]
