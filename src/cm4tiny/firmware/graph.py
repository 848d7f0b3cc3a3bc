# SPDX-License-Identifier: Apache-2.0
"""The integer graph: what is left of a model between its file and TIR. Typed, immutable, in order of execution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cm4tiny.firmware.kernels.base import Array, Kernel
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.quant import INT8_MAX, INT8_MIN


@dataclass(frozen=True)
class Tensor:
    """An int8 activation. ``key`` names its memory: a reshaped tensor keeps its key."""

    key: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    @property
    def size(self) -> int:
        """Number of values, which is the number of bytes."""
        count = 1
        for n in self.shape:
            count *= n
        return count

    def shaped(self, shape: tuple[int, ...]) -> Tensor:
        """The same memory in another shape."""
        return replace(self, shape=shape)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Base of all layers; ``low`` and ``high`` clamp the output, in quantised values."""

    inputs: tuple[Tensor, ...]
    output: Tensor
    low: int = INT8_MIN
    high: int = INT8_MAX

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference, padding included."""
        return 0


@dataclass(frozen=True, kw_only=True)
class Conv(Layer):
    """A convolution. ``weights`` is int8 [out, ky, kx, in], or [out, ky, kx, 1] if ``depthwise``; ``bias`` int32 [out];
    ``weight_scales`` float32, one or one per output channel.

    Three fields say which dot products need no computation; a kernel may use them or not. :mod:`.sparsity` sets them.

    Attributes:
        live_outputs: this many output channels, from the first, are computed; the weights of the others are all zero. None: all.
        constant_outputs: int8, the values of the others, the same in every pixel. None: there are none.
        live_inputs: (start, count) of the input channels that are read; the weights of the others are all zero. None: all.
    """

    window: Window
    weights: Array
    bias: Array
    weight_scales: Array
    depthwise: bool = False
    live_outputs: int | None = None
    constant_outputs: Array | None = None
    live_inputs: tuple[int, int] | None = None

    @property
    def macs(self) -> int:
        height, width = self.window.output
        return height * width * int(self.weights.size)

    @property
    def live_macs(self) -> int:
        """Multiply-accumulates without the dot products and the terms that :attr:`live_outputs` and :attr:`live_inputs` skip."""
        outputs, ky, kx, inputs = self.weights.shape
        live_outputs = outputs if self.live_outputs is None else self.live_outputs
        live_inputs = inputs if self.live_inputs is None else self.live_inputs[1]
        height, width = self.window.output
        return height * width * ky * kx * live_outputs * live_inputs


@dataclass(frozen=True, kw_only=True)
class Dense(Layer):
    """A matrix product. ``weights`` is int8 [out, in]."""

    weights: Array
    bias: Array
    weight_scales: Array

    @property
    def macs(self) -> int:
        return self.inputs[0].size // int(self.weights.shape[1]) * int(self.weights.size)


@dataclass(frozen=True, kw_only=True)
class Add(Layer):
    """An elementwise sum of two tensors of equal shape."""


@dataclass(frozen=True, kw_only=True)
class AveragePool(Layer):
    """A mean over windows; input and output share scale and zero point."""

    window: Window


@dataclass(frozen=True, kw_only=True)
class Softmax(Layer):
    """Softmax over the last axis."""


@dataclass(frozen=True, kw_only=True)
class Copy(Layer):
    """A copy of the input: a model that only reshapes."""


@dataclass(frozen=True, kw_only=True)
class Portable(Layer):
    """A layer of an operator that brings its kernel along: portable C on int8, the same bits on every machine. The passes know nothing of
    it but its tensors.

    Attributes:
        operator: what it computes, as the file calls it.
        facts: all that decides about its code, as plain values: layers with equal facts and tensors have equal code.
        make: builds the kernel, whose parameters are ``inputs`` in order, then the output.
        cycles: estimate of one inference; the operator's module says where it comes from.
        products: multiply-accumulates of one inference.
    """

    operator: str
    facts: tuple[object, ...]
    make: Callable[[], Kernel]
    cycles: int
    products: int = 0

    @property
    def macs(self) -> int:
        return self.products


@dataclass(frozen=True)
class State:
    """Memory that keeps its values from one inference to the next.

    Attributes:
        read: what the inference before left.
        write: what this inference leaves; a layer of its own copies it, after all others.
        initial: int8 [values], before the first inference.
    """

    read: Tensor
    write: Tensor
    initial: Array


@dataclass(frozen=True)
class Graph:
    """A whole model.

    Attributes:
        input, output: the first of each.
        more_inputs, more_outputs: the others, which lie behind the first in the caller's memory, without gaps.
        states: memory that is kept.
    """

    input: Tensor
    output: Tensor
    layers: tuple[Layer, ...]
    more_inputs: tuple[Tensor, ...] = ()
    more_outputs: tuple[Tensor, ...] = ()
    states: tuple[State, ...] = ()

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return (self.input, *self.more_inputs)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return (self.output, *self.more_outputs)

    @property
    def given(self) -> tuple[Tensor, ...]:
        """What is there before the first layer."""
        return (*self.inputs, *(state.read for state in self.states))

    @property
    def results(self) -> tuple[Tensor, ...]:
        """What must be there after the last layer."""
        return (*self.outputs, *(state.write for state in self.states))

    @property
    def places(self) -> dict[int, str]:
        """C expressions of the tensors that do not lie in the arena, by key."""
        found = {}
        for name, tensors in (("input", self.inputs), ("output", self.outputs)):
            offset = 0
            for tensor in tensors:
                found[tensor.key] = f"{name} + {offset}" if offset else name
                offset += tensor.size
        for number, state in enumerate(self.states):
            found[state.read.key] = found[state.write.key] = state_name(number)
        return found

    @property
    def state_bytes(self) -> int:
        return sum(state.initial.nbytes for state in self.states)


def state_name(number: int) -> str:
    """The C name of a state's memory."""
    return f"cm4tiny_state{number}"
