# SPDX-License-Identifier: Apache-2.0
"""Convolution of int16 tensors: tiles of pixels inside, blocks of channels outside, one assembly function per region of the image.

Limits: input in NHWC with a border as wide as the padding; no groups. Every row of the window must start at an even element.
Where pixels have an odd number of elements, even and odd columns are computed apart: the windows of one kind start one element early, at
a weight of zero. Any kernel, stride, dilation and output layout.

Placement of the weights: ``ram``: int16 in SRAM; ``merged-ram``: two channels in 16 bits, half the memory at the same speed or better
(:mod:`.weights` says when that is exact); ``flash`` and ``merged-flash``: the same in flash, read by every tile; ``expanded``: int8 in
flash, widened into a scratch; ``merged-staged``: merged in flash, copied into a scratch.

Cost: see :mod:`~cm4tiny.firmware.kernels.int16.block` for a tile. Per region 75 cycles and 5 per 8 bytes of code, and again for every
block of channels if their loop is larger than the instruction cache. Per weight and region ``expanded`` 2.5, ``merged-staged`` 1;
``flash`` 5 per 16 bytes of weights and tile, or per block of channels if a block has no more than 256 bytes: then it costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cm4tiny.firmware.kernels.base import Array, Candidate, Kernel, Param, Tir, prim_func, words
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16.block import Epilogue, MicroKernel
from cm4tiny.firmware.kernels.int16.cover import SHAPES, Shape
from cm4tiny.firmware.kernels.int16.geometry import Geometry, plan_geometries
from cm4tiny.firmware.kernels.int16.guards import require_window
from cm4tiny.firmware.kernels.int16.plan import MAX_PIXELS, PLACEMENTS, ConvPlan, Placement, groups, plans
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, KernelLimitError
from cm4tiny.firmware.kernels.int16.staging import UNIT
from cm4tiny.firmware.kernels.int16.storage import Storage
from cm4tiny.firmware.kernels.int16.uniform import UniformRelu, plan_uniform
from cm4tiny.firmware.kernels.int16.weights import merge, mergeable, narrowed, packed_weights, parameter_words, plan_merged


def candidates(
    window: Window,
    weights: Array,
    requant: Int16Requant,
    source: Storage,
    target: Storage,
    *,
    live_outputs: int | None = None,
    live_inputs: tuple[int, int] | None = None,
    constant_outputs: Array | None = None,
) -> list[Candidate]:
    """All sound ways to compute a convolution, the fastest first.

    Args:
        window: geometry.
        weights: int8 [out, ky, kx, in].
        requant: of the layer.
        source: of the input, NHWC.
        target: of the output.
        live_outputs: so many leading channels are computed; the others are constant.
        live_inputs: first channel and number of channels that are read; all other weights are zero.
        constant_outputs: int8 value of every channel that is not computed (of all channels, or of those alone).

    Raises:
        KernelLimitError: the layer is outside the limits of the module.
    """
    require_window(window, source, target, len(weights))
    outputs = target.channels if live_outputs is None else live_outputs
    if outputs == 0:
        raise KernelLimitError("none of its channels is computed")
    if outputs < target.channels and constant_outputs is None:
        raise ValueError(f"{target.channels - outputs} channels are not computed, but their constants are not given")
    fixed = target.channels - outputs
    first, count = _even_start(live_inputs or (0, weights.shape[3]))
    parts = plan_geometries(window, source, target, (first, count))
    used = weights[:outputs, :, :, first : first + count].reshape(outputs, -1)
    table = [getattr(requant, name)[:outputs] for name in ("bias", "mantissa", "rounding", "shift")]
    requant = Int16Requant(requant.relu, requant.zero_point, *table)
    constants = constant_outputs[len(constant_outputs) - fixed :] if constant_outputs is not None and fixed else None
    layer = _Layer(parts, used, requant, plan_uniform(used, requant), plan_merged(used, requant), source, target, constants)
    found: dict[str, Candidate] = {}
    for channels, most in MAX_PIXELS.items():
        if channels > outputs or (channels == 1 and outputs > 1):
            continue
        for shape in SHAPES:
            if most // 2 < shape[0] * shape[1] <= most or shape == (1, 1):
                found.update({c.id: c for c in layer.candidates(channels, shape)})
    if not found:
        raise KernelLimitError("no block of its sums fits into the instruction cache")
    return sorted(found.values(), key=lambda c: c.cycles)


def _even_start(live: tuple[int, int]) -> tuple[int, int]:
    """The same channels from an even one on; at least one."""
    return live[0] // 2 * 2, max(1, live[1] + live[0] % 2)


Choice = list[tuple[Geometry, ConvPlan]]


@dataclass(frozen=True)
class _Layer:
    """What all candidates of a layer share; ``weights`` are int8 [computed channels, taps of the window]."""

    parts: tuple[Geometry, ...]
    weights: Array
    requant: Int16Requant
    uniform: UniformRelu | None
    merged: UniformRelu | None
    source: Storage
    target: Storage
    constants: Array | None

    def rule(self, placement: Placement) -> Int16Requant | UniformRelu:
        """The requantisation that fits the form of the weights."""
        if placement.merged:
            return self.merged or self.requant
        return self.uniform if self.uniform is not None and not placement.stage else self.requant

    def candidates(self, channels: int, shape: Shape) -> list[Candidate]:
        """One for each placement."""
        found = []
        for placement in PLACEMENTS:
            choice = self._choice(channels, shape, placement)
            if choice is not None:
                found.append(self._candidate(choice, placement))
        return found

    def _choice(self, channels: int, shape: Shape, placement: Placement) -> Choice | None:
        """The best plan for each group of channels, in each part of the image."""
        choice: Choice = []
        epilogue = _epilogue(self.rule(placement))
        for geometry in self.parts:
            for i, group in enumerate(groups(len(self.weights), channels)):
                if placement.merged and group.channels > 1 and not mergeable(self.weights[group.start : group.stop]):
                    return None
                options = [plan for s in ([shape] if i == 0 else SHAPES) for plan in plans(geometry, group, s, placement, epilogue)]
                if not options:
                    return None
                choice.append((geometry, min(options, key=lambda p: p.cycles)))
        if placement.merged and not any(plan.merged for _, plan in choice):
            return None
        return choice

    def _candidate(self, choice: Choice, placement: Placement) -> Candidate:
        ram = scratch = 0
        epilogue = _epilogue(self.rule(placement))
        for _, plan in choice:
            if placement.in_ram:
                ram += plan.group.blocks * (plan.words + epilogue.parameters * plan.group.channels) * 4
            elif placement.stage:
                scratch = max(scratch, 4 * plan.step_words)
        plan = choice[0][1]
        name = f"conv {plan.shape[0]}x{plan.shape[1]}x{plan.group.channels} {placement.name}"
        cycles = round(sum(plan.cycles for _, plan in choice))
        return Candidate(name, cycles, ram, scratch, lambda: _Maker(self, placement).make(choice))


class _Maker:
    """Builds one kernel."""

    def __init__(self, layer: _Layer, placement: Placement) -> None:
        self.layer, self.placement = layer, placement
        self.weights: list[Array] = []
        self.table: list[Array] = []
        self.calls: list[Callable[..., None]] = []
        self.code: dict[str, CFunction] = {}
        self.scratch = 0

    def make(self, choice: Choice) -> Kernel:
        for geometry, plan in choice:
            self._add(geometry, plan)
        layer = self.layer
        constants = [np.concatenate(self.weights), np.concatenate(self.table)]
        if layer.constants is not None:
            constants.append(layer.constants.astype(np.int16) - np.int16(layer.requant.zero_point))
            self._fill(len(layer.constants))
        in_ram = frozenset({0, 1}) if self.placement.in_ram else frozenset()
        params = [Param("x", layer.source.elements, "int16"), Param("w", constants[0].size, str(constants[0].dtype))]
        params += [Param("p", constants[1].size, "int32")]
        params += [Param("fixed", constants[2].size, "int16")] if len(constants) > 2 else []
        params += [Param("scratch", self.scratch, "int32")] if self.scratch else []
        params += [Param("o", layer.target.elements, "int16")]

        def body(*buffers: Any) -> None:
            tir = Tir()
            named = {p.name: b for p, b in zip(params, buffers, strict=True)}
            for call in self.calls:
                call(tir, named)

        spaces = (4 * self.scratch,) if self.scratch else ()
        return Kernel("conv", prim_func(params, body), tuple(constants), spaces, tuple(self.code.values()), in_ram)

    def _add(self, geometry: Geometry, plan: ConvPlan) -> None:
        """Weights, parameters and calls of one group."""
        group, rule = plan.group, self.layer.rule(plan.placement)
        packed = packed_weights(self._stored(plan), geometry, plan.order, plan.words // len(plan.order))
        first, table = sum(a.size for a in self.weights), sum(a.size for a in self.table)
        stage = self.placement.stage
        per_call = np.zeros((plan.calls, 2 * plan.step_words), np.int16)
        per_call[:, : 2 * plan.step * plan.words] = packed.reshape(plan.calls, -1)
        if stage is not None:
            self.scratch = max(self.scratch, plan.step_words)
            self.code[stage.function.name] = stage.function
        self.weights.append(words(per_call.view(np.int32)) if stage is None or stage.cells == 1 else narrowed(per_call))
        self.table.append(parameter_words(rule, group.start, group.stop, group.channels).reshape(-1))
        for region, kernel in plan.kernels:
            self.code[kernel.function.name] = kernel.function
            x = geometry.start + region.y * geometry.step[0] + region.x * geometry.step[1]
            o = geometry.output + region.y * geometry.output_step[0] + region.x * geometry.output_step[1] + group.start * geometry.channel
            per_block = (_epilogue(rule).parameters * group.channels, group.channels * geometry.channel)
            self.calls.append(_caller(kernel, plan, (x, first, table, o), per_block))

    def _stored(self, plan: ConvPlan) -> Array:
        """The weights of a group's channels, or pairs of channels, as they are stored: int16."""
        group, rule = plan.group, self.layer.rule(plan.placement)
        weights = self.layer.weights[group.start : group.stop].astype(np.int16)
        if plan.merged:
            return merge(weights)
        if isinstance(rule, UniformRelu):
            return weights * rule.scale[group.start : group.stop, None].astype(np.int16)
        return 2 * weights

    def _fill(self, count: int) -> None:
        t = self.layer.target
        at = t.at(0, 0, t.channels - count)

        def call(tir: Tir, named: dict[str, Any]) -> None:
            args = (t.height, t.width, count, t.row, t.pixel, t.channel)
            tir.emit("cm4t_fill_channels", tir.at(named["o"], at), tir.at(named["fixed"], 0), *args)

        self.calls.append(call)


def _epilogue(rule: Int16Requant | UniformRelu) -> Epilogue:
    if isinstance(rule, UniformRelu):
        return Epilogue("uniform", rule.shift)
    return Epilogue("relu") if rule.relu else Epilogue("linear", rule.zero_point)


def _caller(kernel: MicroKernel, plan: ConvPlan, starts: tuple[int, int, int, int], per_block: tuple[int, int]) -> Callable[..., None]:
    """Writes all calls of a region; ``starts`` are offsets in x, w, p and o, ``per_block`` distances of blocks in p and o."""
    x, w, p, o = starts
    stage = plan.placement.stage

    def call(tir: Tir, named: dict[str, Any]) -> None:
        with tir.loop(plan.calls, "call") as i:
            weights = tir.at(named["w"], w + i * (plan.step_words * (stage.cells if stage else 1)))
            if stage is not None:
                scratch = tir.at(named["scratch"], 0)
                tir.emit(stage.function.name, weights, scratch, plan.step_words // UNIT)
                weights = scratch
            parameters = tir.at(named["p"], p + i * (plan.step * per_block[0]))
            tir.emit(
                kernel.function.name, tir.at(named["x"], x), weights, parameters, tir.at(named["o"], o + i * (plan.step * per_block[1]))
            )

    return call
