# SPDX-License-Identifier: Apache-2.0
"""Layout pass: which form every tensor has in memory, and the conversions between forms.

A tensor is int8 (NHWC, as in the model) or int16 (see :mod:`cm4tiny.firmware.kernels.int16.storage`). A producer writes
what its consumers want to read: NCHW for a depthwise convolution, NHWC for everything else, with the largest border that any consumer
reads. Only where consumers disagree, or where a layer has no int16 kernel, a conversion is put in between.

A reshaped tensor keeps its memory, so consumers may also disagree about the shape of the image. The producer writes the image that it
computes; a consumer of another shape reads the same memory where the values have no gaps, or else a converted copy.

The model's input is int8. Some kernels read it so; a first layer that has one gets no widened copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from cm4tiny.firmware.graph import AveragePool, Conv, Dense, Graph, Layer, Tensor
from cm4tiny.firmware.kernels.base import Candidate, Kernel
from cm4tiny.firmware.kernels.int16 import convert
from cm4tiny.firmware.kernels.int16.depthwise import wants_nchw
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.storage import NO_BORDER, Border, Layout, Storage, nchw, nhwc
from cm4tiny.firmware.microtvm.select import input_candidates, int8_candidates, int16_candidates, int16_kernel_exists


@dataclass(frozen=True)
class Value:
    """A tensor in one of its forms; ``storage`` None: int8."""

    tensor: Tensor
    storage: Storage | None
    index: int = 0

    @property
    def name(self) -> str:
        return f"t{self.tensor.key}" + (f"_{self.index}" if self.index else "")

    @property
    def bytes(self) -> int:
        return self.tensor.size if self.storage is None else self.storage.bytes

    @property
    def bordered(self) -> bool:
        """Whether cells must be zero that no kernel writes."""
        return self.storage is not None and self.storage.border_cells


@dataclass(frozen=True)
class Action:
    """One step of the compiled model: a layer or a conversion.

    Attributes:
        kind: of a conversion; "" for a layer.
        layer: None for a conversion.
        candidates: ways to compute it, the first is the default.
        reads, writes: values in the order of the kernel's parameters.
        reason: why a layer has an int8 kernel though its kind has int16 ones; "" otherwise.
    """

    layer: Layer | None
    candidates: tuple[Candidate, ...]
    reads: tuple[Value, ...]
    writes: Value
    kind: str = ""
    reason: str = ""


@dataclass(frozen=True)
class _Need:
    """What a consumer wants to read. ``image`` is the shape in which it sees the tensor; None: any, all values are one vector."""

    layout: Layout
    image: tuple[int, int, int] | None
    border: Border = NO_BORDER
    flat: bool = False
    even: bool = False


def lay_out(graph: Graph, *, int16: bool = True) -> tuple[Action, ...]:
    """The actions of a model, in order of execution. ``int16=False`` gives every layer its int8 kernel."""
    return _Pass(graph, int16).run()


class _Pass:
    def __init__(self, graph: Graph, int16: bool) -> None:
        self._graph = graph
        self._refused = {i: "" for i, layer in enumerate(graph.layers) if not (int16 and int16_kernel_exists(layer))}
        self._direct = {i for i, layer in enumerate(graph.layers) if int16 and i not in self._refused and self._reads_input_alone(layer)}
        self._int8: dict[int, list[Candidate]] = {}
        self._given = {tensor.key for tensor in graph.given}
        self._shapes = {tensor.key: tensor for tensor in graph.given}
        for layer in graph.layers:
            self._shapes.setdefault(layer.output.key, layer.output)

    def run(self) -> tuple[Action, ...]:
        """Tries int16 kernels everywhere; each refusal makes one layer int8 and starts again, because it changes its neighbours."""
        while True:
            actions, refused = self._attempt()
            if refused is None:
                return tuple(actions)
            self._refused.update([refused])

    def _reads_input_alone(self, layer: Layer) -> bool:
        """Whether the layer reads the model's input, in its shape, and no other does."""
        key = self._graph.input.key
        readers = [tensor for other in self._graph.layers for tensor in other.inputs if tensor.key == key]
        return len(readers) == 1 and layer.inputs[0] is readers[0] and readers[0].shape == self._graph.input.shape

    def _attempt(self) -> tuple[list[Action], tuple[int, str] | None]:
        homes = {key: self._home(key) for key in self._shapes}
        forms: dict[int, list[Value]] = {}
        actions: list[Action] = []
        for tensor in self._graph.given:
            self._remember(forms, homes[tensor.key])
        for index, layer in enumerate(self._graph.layers):
            reads = tuple(self._form(tensor, self._need(index, layer, tensor), forms, actions) for tensor in layer.inputs)
            home = homes[layer.output.key]
            if index in self._refused:
                writes = home if home.storage is None else Value(self._shapes[layer.output.key], None, len(forms.get(layer.output.key, [])))
                candidates, reason = self._int8_candidates(index, layer), self._refused[index]
            else:
                writes, reason = home, ""
                assert writes.storage is not None
                try:
                    if index in self._direct:
                        candidates = input_candidates(layer, writes.storage)
                    else:
                        storages = [value.storage for value in reads if value.storage is not None]
                        candidates = int16_candidates(layer, storages, writes.storage)
                except KernelLimitError as error:
                    if index in self._direct:
                        self._direct.remove(index)
                        return self._attempt()
                    return [], (index, str(error))
            self._remember(forms, writes)
            actions.append(Action(layer, tuple(candidates), reads, writes, reason=reason))
        for tensor in self._graph.outputs:
            self._form(tensor, None, forms, actions, final=True)
        return actions, None

    def _int8_candidates(self, index: int, layer: Layer) -> list[Candidate]:
        if index not in self._int8:
            self._int8[index] = int8_candidates(layer)
        return self._int8[index]

    def _remember(self, forms: dict[int, list[Value]], value: Value) -> None:
        forms.setdefault(value.tensor.key, []).append(value)

    def _need(self, index: int, layer: Layer, tensor: Tensor) -> _Need | None:
        """None: int8."""
        return None if index in self._refused or index in self._direct else _int16_need(layer, tensor)

    def _home(self, key: int) -> Value:
        """The form in which the producer writes a tensor."""
        tensor = self._shapes[key]
        if key in self._given:
            return Value(tensor, None)
        producer = next(i for i, layer in enumerate(self._graph.layers) if layer.output.key == key)
        if producer in self._refused:
            return Value(tensor, None)
        needs = self._needs(key)
        return Value(tensor, _storage(_image(tensor), needs) if needs else nhwc(*_image(tensor)))

    def _consumers(self, key: int) -> list[_Need]:
        """What all int16 consumers of a tensor want."""
        return [
            _int16_need(layer, tensor)
            for i, layer in enumerate(self._graph.layers)
            if i not in self._refused and i not in self._direct
            for tensor in layer.inputs
            if tensor.key == key
        ]

    def _needs(self, key: int) -> list[_Need]:
        """Of the int16 consumers that see the tensor in its producer's shape and agree with most of them on the layout."""
        found = [need for need in self._consumers(key) if need.image in (None, _image(self._shapes[key]))]
        if not found:
            return []
        layout = Counter(need.layout for need in found).most_common(1)[0][0]
        flat = any(need.flat for need in found) and not any(any(need.border) for need in found)
        chosen = [need for need in found if need.layout == layout and (flat or not need.flat)]
        return chosen or found

    def _form(
        self, tensor: Tensor, need: _Need | None, forms: dict[int, list[Value]], actions: list[Action], *, final: bool = False
    ) -> Value:
        """A form of a tensor that fits; made by a conversion if there is none yet."""
        present = forms[tensor.key]
        for value in present:
            seen = _seen(value, tensor, need)
            if seen is not None:
                return seen
        whole = self._shapes[tensor.key]
        image = _image(whole) if need is None or need.image is None else need.image
        source = self._source(tensor, image, need, forms, actions)
        whole = whole if image == _image(whole) else tensor
        made = Value(whole, _storage(image, self._widest(tensor.key, need)) if need else None, len(present))
        kernel: Callable[[], Kernel]
        if need is None:
            assert source.storage is not None
            kind, kernel = "narrow", _call(convert.narrow, source.storage, whole.zero_point)
        elif source.storage is None:
            assert made.storage is not None
            kind, kernel = "widen", _call(convert.widen, whole.zero_point, made.storage)
        else:
            assert made.storage is not None
            kind, kernel = "relayout", _call(convert.relayout, source.storage, made.storage)
        candidate = Candidate(kind, 3 * whole.size, 0, 0, kernel)
        actions.append(Action(None, (candidate,), (source,), made, kind=kind))
        forms[tensor.key].append(made)
        return made

    def _source(
        self, tensor: Tensor, image: tuple[int, int, int], need: _Need | None, forms: dict[int, list[Value]], actions: list[Action]
    ) -> Value:
        """What a conversion to ``image`` reads: the first form of the tensor, or an int8 one if its image is another."""
        first = forms[tensor.key][0]
        if need is None or first.storage is None or first.storage.image == image:
            return first
        view = first.storage.viewed(image)
        return self._form(tensor, None, forms, actions) if view is None else replace(first, storage=view)

    def _widest(self, key: int, need: _Need) -> list[_Need]:
        """A conversion serves all consumers of its layout and shape at once."""
        if need.flat:
            return [need]
        same = [other for other in self._consumers(key) if (other.layout, other.image) == (need.layout, need.image)]
        return [need, *(other for other in same if not other.flat)]


def _call(make: Callable[..., Kernel], *arguments: object) -> Callable[[], Kernel]:
    return lambda: make(*arguments)


def _image(tensor: Tensor) -> tuple[int, int, int]:
    """Height, width and channels; what is not one image is a row of pixels."""
    shape = tensor.shape
    if len(shape) == 4 and shape[0] == 1:
        return shape[1], shape[2], shape[3]
    channels = shape[-1] if shape else 1
    return 1, tensor.size // channels, channels


def _int16_need(layer: Layer, tensor: Tensor) -> _Need:
    image = _image(tensor)
    if isinstance(layer, Conv):
        sees_all = layer.window.kernel == (layer.window.height, layer.window.width) and not any(layer.window.padding)
        if layer.depthwise:
            return _Need("NCHW" if wants_nchw(layer.window) else "NHWC", image, _padding(layer))
        odd = layer.window.channels % 2 == 1 and not sees_all
        return _Need("NHWC", image, _padding(layer), flat=sees_all, even=odd and layer.window.strides[1] % 2 == 1)
    if isinstance(layer, Dense):
        return _Need("NHWC", None if tensor.size == layer.weights.shape[1] else image, flat=True)
    return _Need("NHWC", image, flat=isinstance(layer, AveragePool))


def _padding(layer: Conv) -> Border:
    return layer.window.padding


def _storage(image: tuple[int, int, int], needs: list[_Need]) -> Storage:
    height, width, channels = image
    sides = [max(need.border[i] for need in needs) for i in range(4)]
    border = (sides[0], sides[1], sides[2], sides[3])
    if needs[0].layout == "NCHW":
        return nchw(height, width, channels, border)
    step = channels + channels % 2 if any(need.even for need in needs) else channels
    return nhwc(height, width, channels, border, pixel=step)


def _seen(value: Value, tensor: Tensor, need: _Need | None) -> Value | None:
    """A value as a consumer may read it: as it is, or its memory as an image of the consumer's shape; None if it does not fit."""
    storage = value.storage
    if storage is None or need is None:
        return value if storage is None and need is None else None
    if need.image is None or need.image == storage.image:
        return value if _fits(storage, need) else None
    view = storage.viewed(need.image)
    return Value(tensor, view, value.index) if view is not None and _fits(view, need) else None


def _fits(storage: Storage, need: _Need) -> bool:
    if storage.layout != need.layout or any(have < want for have, want in zip(storage.border, need.border, strict=True)):
        return False
    if need.even and storage.pixel % 2:
        return False
    return not need.flat or (storage.flat and not any(storage.border))
