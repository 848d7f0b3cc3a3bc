# SPDX-License-Identifier: Apache-2.0
"""Winograd convolution in exact integers: F(4x4, 3x3) with 36 multiplications for 16 outputs instead of 144, and 81 with stride 2.

After A. Lavin and S. Gray, "Fast Algorithms for Convolutional Networks" (2015): ``A ((G g G') * (B d B')) A'``, where * is elementwise, is
the convolution of a patch d with a 3 x 3 filter g. Lavin's G, with the points 0, 1, -1, 2, -2 and infinity, is scaled by 24 to be integer;
its last row by 6 only, and A carries the other 4, so that no row of G sums to more than 12. For stride 2 see :mod:`.winograd_stride2`.

Why the result is exact, not approximate, say for stride 1:

* a transformed weight is an integer of at most 12 * 12 * 128 = 18432, a transformed input one of at most 68 * 255 = 17340 (stored
  values span 255 and zero is among them, whatever the zero point; ``Method.check_ranges`` computes both from the actual numbers): int16;
* sums of their products may leave 32 bits. But all that follows are additions, shifts to the left and products, which are exact modulo
  2**32, so the sum that they make is known modulo 2**32: ``576 s``, s being the wanted sum of products;
* 576 = 9 * 64 and 9 has an inverse modulo 2**32: the product with it is ``64 s`` modulo 2**32;
* if |s| < 2**25, ``64 s`` fits 32 bits, is therefore known, and its shift by five places is the doubled sum that
  :mod:`.requant` wants. ``Method.check_ranges`` proves the bound from the actual weights.

The work is done in regions of ``tiles`` tiles: input transform (V), for each block of output channels the products (M) and the output
transform; see :mod:`.winograd_code` for the layouts and costs. Tiles at the right and the lower edge are moved inwards where the output
is not a multiple of four; what they share with their neighbours is computed twice.

Weights lie in RAM or in flash. They are read once per region and in order, so flash costs one miss per 16 bytes and region; copying
them to a scratch first would cost the same misses, and the copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Candidate, Kernel, Param, Tir, prim_func, round_up
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.kernels.int16.guards import require_window
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, KernelLimitError
from cm4tiny.firmware.kernels.int16.storage import Storage
from cm4tiny.firmware.kernels.int16.weights import parameter_words
from cm4tiny.firmware.kernels.int16.winograd_code import COMPONENTS, INVERSE_OF_9, MAX_OFFSET, Form, Result, WinogradShape, product
from cm4tiny.firmware.kernels.int16.winograd_method import SPAN, Method
from cm4tiny.firmware.kernels.int16.winograd_requant import ShortRequant, shorten
from cm4tiny.firmware.kernels.int16.winograd_stride1 import METHOD as STRIDE_1
from cm4tiny.firmware.kernels.int16.winograd_stride2 import METHOD as STRIDE_2

TILE = 4

_REGIONS = (4, 8, 12, 16, 24)
_MAX_STEP = 1 << 20  # of a pointer in two instructions
_PRODUCT_BYTES = 20 << 10
"""M takes no more, if two channels fit."""
_MISS, _FETCH = 5, 16  # cycles of a flash miss, and the bytes that it brings


def candidates(
    window: Window, weights: Array, requant: Int16Requant, source: Storage, target: Storage, *, input_zero_point: int | None = None
) -> list[Candidate]:
    """The ways to compute a 3 x 3 convolution of stride 1 or 2.

    Args:
        window: geometry; its padding must lie in the border of ``source``.
        weights: int8 [out, 3, 3, in].
        requant: of the layer.
        source: of the input, NHWC.
        target: of the output, any layout.
        input_zero_point: -128 (no stored value is negative) allows a faster input transform.

    Raises:
        KernelLimitError: the layer is outside the limits.
    """
    method = next((m for m in (STRIDE_1, STRIDE_2) if window.strides == (m.stride, m.stride)), None)
    if method is None or window.kernel != (3, 3) or window.dilation != (1, 1):
        raise KernelLimitError("Winograd's method is for 3 x 3 windows of stride 1 or 2 without dilation")
    layer = _Layer(method, window, weights, requant, source, target, input_zero_point)
    layer.check()
    method.check_ranges(weights)
    work = {tiles: round_up(layer.tiles, tiles) for tiles in _REGIONS}
    regions = [tiles for tiles in _REGIONS if work[tiles] == min(work.values())]
    shapes = [shape for shape in map(layer.shape, regions) if all(f.loop_bytes <= ICACHE_BYTES for f in layer.code(shape))]
    if not shapes:
        raise KernelLimitError("its loops would not fit into the instruction cache")
    return [layer.candidate(shape, in_ram) for shape in shapes for in_ram in (True, False)]


@dataclass(frozen=True, eq=False)
class _Layer:
    method: Method
    window: Window
    weights: Array
    requant: Int16Requant
    source: Storage
    target: Storage
    input_zero_point: int | None

    @cached_property
    def short(self) -> ShortRequant | None:
        """The short form of requantisation: of the sums as the output transform finds them, or of as large a multiple as fits."""
        w = self.weights.astype(np.int64).reshape(self.outputs, -1)
        ends = (-SPAN, SPAN) if self.input_zero_point is None else (-128 - self.input_zero_point, 127 - self.input_zero_point)
        low, high = (pick(w * ends[0], w * ends[1]).sum(axis=1) for pick in (np.minimum, np.maximum))
        largest = max(1, int(np.abs(low).max()), int(np.abs(high).max()))
        power = 1 << (((1 << 31) - 1) // largest).bit_length() - 1
        found = shorten(self.requant, self.method.scale, low, high)
        return found or (shorten(self.requant, power, low, high) if power >= self.method.scale // 9 else None)

    @cached_property
    def form(self) -> Form:
        r, short = self.requant, self.short
        if short is None:
            return Form(r.relu, r.zero_point)
        if short.scale == self.method.scale:
            return Form(r.relu, r.zero_point, 1, short.shift)
        return Form(r.relu, r.zero_point, INVERSE_OF_9 * (9 * short.scale // self.method.scale) % (1 << 32), short.shift)

    @property
    def outputs(self) -> int:
        return int(self.weights.shape[0])

    @property
    def channels(self) -> int:
        """Input channels in whole words; the last one may be padding, whose weights are zero."""
        return round_up(self.window.channels, 2)

    @property
    def grid(self) -> tuple[int, int]:
        """Tiles down and across."""
        height, width = self.window.output
        return -(-height // TILE), -(-width // TILE)

    @property
    def tiles(self) -> int:
        down, across = self.grid
        return down * across

    def check(self) -> None:
        w, source = self.window, self.source
        if min(w.output) < TILE:
            raise KernelLimitError(f"its output of {w.output[0]} x {w.output[1]} is smaller than a tile of {TILE} x {TILE}")
        if source.layout != "NHWC":
            raise KernelLimitError("its input is not NHWC")
        require_window(w, source, self.target, self.outputs)
        words = (source.pixel | source.row | source.at(-w.padding[0], -w.padding[1])) % 2 == 0
        if not words or source.pixel < self.channels:
            raise KernelLimitError("its input channels do not come in whole words")
        offset = max(2 * (self.method.patch - 1) * source.pixel, 2 * (TILE - 1) * self.target.pixel)
        step = max(2 * self.method.patch * source.row, 4 * self.target.row, 2 * self.target.channel)
        if offset > MAX_OFFSET or step > _MAX_STEP:
            raise KernelLimitError("its pixels are too far apart for the offsets of loads and stores")

    def shape(self, tiles: int) -> WinogradShape:
        return WinogradShape(tiles, self.channels, self.method.groups)

    def candidate(self, shape: WinogradShape, in_ram: bool) -> Candidate:
        block = self.block(shape)
        return Candidate(
            id=f"{self.method.id} t{shape.tiles} {'ram' if in_ram else 'flash'}",
            cycles=self.cycles(shape, in_ram),
            ram_bytes=4 * self.form.words * self.outputs + (self.weight_bytes if in_ram else 0),
            workspace_bytes=4 * (shape.slices * shape.v_slice + -(-block // 2) * shape.pair_words),
            make=lambda: self.kernel(shape, in_ram),
        )

    @property
    def weight_bytes(self) -> int:
        return 2 * COMPONENTS * round_up(self.outputs, 2) * self.channels

    def block(self, shape: WinogradShape) -> int:
        """Output channels per block, even unless it is all of them; the last block may be smaller."""
        pairs = -(-self.outputs // 2)
        blocks = -(-pairs // max(1, _PRODUCT_BYTES // (4 * shape.pair_words)))
        return min(self.outputs, 2 * -(-pairs // blocks))

    def code(self, shape: WinogradShape) -> tuple[CFunction, CFunction, CFunction]:
        t = self.target
        return (
            self.method.input_transform(shape, self.source.pixel, self.source.row, unsigned=self.input_zero_point == -128),
            product(shape),
            self.method.output_transform(shape, Result(t.pixel, t.row, t.channel, self.form)),
        )

    def cycles(self, shape: WinogradShape, in_ram: bool) -> int:
        """By the costs of :mod:`.winograd_code` and of the method."""
        regions, pairs = -(-self.tiles // shape.tiles), -(-self.outputs // 2)
        misses = 0 if in_ram else regions * self.weight_bytes // _FETCH * _MISS
        refills = regions * (1 + 2 * -(-self.outputs // self.block(shape))) * ICACHE_BYTES // 8 * _MISS
        once = regions * pairs * shape.product_cycles + misses + refills
        per_output = self.method.output_cycles + self.form.cycles
        return once + self.tiles * (shape.pairs * self.method.input_cycles + self.outputs * per_output + 120)

    def kernel(self, shape: WinogradShape, in_ram: bool) -> Kernel:
        """The driver: regions, tiles, blocks of output channels."""
        code, block, source, target = self.code(shape), self.block(shape), self.source, self.target

        def body(x: Any, w: Any, table: Any, v: Any, m: Any, o: Any) -> None:
            _Driver(self, shape, code, Tir(), (x, w, table, v, m, o)).emit()

        spaces = (4 * shape.slices * shape.v_slice, 4 * -(-block // 2) * shape.pair_words)
        params = [Param("x", source.elements, "int16"), Param("w", self.weight_bytes // 4, "int32")]
        params += [Param("table", self.form.words * self.outputs, "int32"), Param("v", spaces[0] // 4, "int32")]
        params += [Param("m", spaces[1] // 4, "int32"), Param("o", target.elements, "int16")]
        constants = (self.packed_weights(), self.packed_table())
        return Kernel("winograd", prim_func(params, body), constants, spaces, code, frozenset({0, 1} if in_ram else {1}))

    def packed_weights(self) -> Array:
        """int32 [channel pairs][36][in / 2][2 channels], each word two input channels."""
        out, _, _, channels = self.weights.shape
        padded = np.zeros((round_up(out, 2), 3, 3, self.channels), np.int64)
        padded[:out, :, :, :channels] = self.weights
        u = self.method.transform_weights(padded)
        shaped = u.reshape(COMPONENTS, -1, 2, u.shape[2] // 2, 2).transpose(1, 0, 3, 2, 4)
        return np.ascontiguousarray(shaped).astype("<i2").view("<i4").reshape(-1).astype(np.int32)

    def packed_table(self) -> Array:
        """int32 [out][``form.words``]."""
        if self.short is not None:
            return np.stack([self.short.mantissa, self.short.rounding], axis=1).reshape(-1)
        table = parameter_words(self.requant, 0, self.outputs, self.outputs)[0]
        return np.ascontiguousarray(table.T).reshape(-1)


@dataclass(frozen=True, eq=False)
class _Driver:
    """The driver's statements: ``code`` are the input transform, the products and the output transform, ``buffers`` x, w, table, v, m,
    o."""

    layer: _Layer
    shape: WinogradShape
    code: tuple[CFunction, CFunction, CFunction]
    tir: Tir
    buffers: tuple[Any, Any, Any, Any, Any, Any]

    def emit(self) -> None:
        """All tiles, region by region."""
        tiles, per_region = self.layer.tiles, self.shape.tiles
        with self.tir.loop(tiles // per_region, "region") as r:
            self._region(r * per_region, per_region)
        if tiles % per_region:
            self._region(self.tir.ir.int32(tiles // per_region * per_region), tiles % per_region)

    def _region(self, start: Any, tiles: int) -> None:
        tir, layer, source = self.tir, self.layer, self.layer.source
        x, v = self.buffers[0], self.buffers[3]
        block, stride, padding = layer.block(self.shape), layer.method.stride, layer.window.padding
        corner = source.at(-padding[0], -padding[1])
        with tir.loop(tiles, "tile") as i:
            patch = tir.at(x, corner + self._offset(start + i, stride * source.row, stride * source.pixel))
            tir.emit(self.code[0].name, patch, tir.at(v, self._slot(i, 4 * self.shape.pairs)))
        with tir.loop(layer.outputs // block, "block") as b:
            self._channels(b, block, start, tiles)
        if layer.outputs % block:
            self._channels(tir.ir.int32(layer.outputs // block), layer.outputs % block, start, tiles)

    def _channels(self, b: Any, count: int, start: Any, tiles: int) -> None:
        """``count`` output channels, from block ``b`` on."""
        tir, layer, target = self.tir, self.layer, self.layer.target
        _, _, table, _, m, o = self.buffers
        block = layer.block(self.shape)
        self._products(b * (block // 2), -(-count // 2))
        with tir.loop(tiles, "tile") as i:
            result = tir.at(o, target.origin + self._offset(start + i, target.row, target.pixel) + b * block * target.channel)
            tir.emit(self.code[2].name, tir.at(m, self._slot(i, 8)), tir.at(table, b * block * layer.form.words), result, count)

    def _products(self, first: Any, pairs: int) -> None:
        """Of ``pairs`` pairs of channels from pair ``first`` on; walked group by group if there are several."""
        tir, shape, name = self.tir, self.shape, self.code[1].name
        _, w, _, v, m, _ = self.buffers
        pair_weights = COMPONENTS * shape.pairs * 2
        if not shape.several:
            tir.emit(name, tir.at(v, 0), tir.at(w, first * pair_weights), tir.at(m, 0), pairs)
            return
        with tir.loop(pairs, "pair") as pair:
            v_at, m_at, w_at = 0, pair * shape.pair_words, (first + pair) * pair_weights
            for components, slices in shape.groups:
                start = (tir.at(v, v_at), tir.at(w, w_at), tir.at(m, m_at))
                tir.emit(name, *start, slices * shape.quads, components)
                v_at, m_at = v_at + components * slices * shape.v_slice, m_at + components * slices * shape.m_slice
                w_at += components * shape.channels

    def _offset(self, tile: Any, row: int, pixel: int) -> Any:
        """Of a tile's first pixel from that of the image."""
        ir, across = self.tir.ir, self.layer.grid[1]
        height, width = self.layer.window.output
        down = ir.truncdiv(tile, across)
        y = ir.min(TILE * down, height - TILE)
        return y * row + ir.min(TILE * (tile - down * across), width - TILE) * pixel

    def _slot(self, i: Any, quad_words: int) -> Any:
        return self.tir.ir.truncdiv(i, 4) * (quad_words - 4) + i
