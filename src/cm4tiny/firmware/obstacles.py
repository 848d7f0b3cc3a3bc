# SPDX-License-Identifier: Apache-2.0
"""Everything in a model file that keeps an engine from taking it, found at once and before anything is compiled.

What is of the file and not of an engine is here: the quantisation scheme, custom operators, unknown sizes, batches, 64-bit indices, scales
that nothing can be computed with, weights that no flash holds. Forms of single operators are the engine's to judge. Each obstacle is an
error with the operator or tensor, the reason, and the converter's option that helps (TensorFlow's ``tf.lite.TFLiteConverter``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cm4tiny.errors import ModelError, UnsupportedOpError
from cm4tiny.firmware.model_file import MAX_TENSORS, SCHEMES, WEIGHTED, reading
from cm4tiny.firmware.model_tables import TYPE_BYTES, operator_name, type_name

_SHOWN = 12
_NAME = 60
_LARGEST_SHIFT = 30
"""A factor of 2**31 or more has no integer form (QuantizeMultiplier of tensorflow/lite/kernels/internal/quantization_util.cc)."""
_INT8 = (
    "set converter.optimizations = [tf.lite.Optimize.DEFAULT], converter.representative_dataset, and "
    "converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]"
)
_ENDS = "set converter.inference_input_type = converter.inference_output_type = tf.int8"
_SIZES = "give the input a fixed size: tf.keras.Input(shape=..., batch_size=1), or tf.TensorSpec without None in a concrete function"
_BATCH = "export the model for one input: batch_size=1"
_CUSTOM = (
    "replace the operator by built-in ones, or end the model before it and compute the rest on the host; converter.allow_custom_ops = False"
)
_FLEX = "replace the operator; without tf.lite.OpsSet.SELECT_TF_OPS the converter names its layer"
_LONG = "make the indices int32, for example tf.argmax(..., output_type=tf.int32)"
_AGAIN = "quantise the model again, with a representative data set that reaches every layer"


@dataclass(frozen=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    constant: bool
    scales: tuple[float, ...]

    @property
    def words(self) -> str:
        return f"'{self.name[:_NAME]}'"


@dataclass(frozen=True)
class _Operator:
    kind: str
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class _File:
    tensors: tuple[_Tensor, ...]
    operators: tuple[_Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def file_obstacles(data: bytes, *, flash_bytes: int, supported: Collection[str] | None = None) -> tuple[ModelError, ...]:
    """What is in the way of a model, whatever else an engine says of it.

    Args:
        flash_bytes: of the chip.
        supported: names of the operators that the engine implements; None: the engine itself says which are missing.

    Raises:
        ModelError: the file is damaged.
    """
    if len(data) < 8 or data[4:8] != b"TFL3":
        return ()
    with reading():
        file = _read(data)
        return () if file is None else tuple(_find(file, flash_bytes, supported))


def repeats(error: ModelError, found: Sequence[ModelError]) -> bool:
    """Whether an engine's error is one that was found in the file: the same words, or the reader's about a tensor's size or scale."""
    return error.what.startswith("tensor '") or any(error.what.partition(":")[0] == other.what.partition(":")[0] for other in found)


def joined(obstacles: Sequence[ModelError]) -> ModelError:
    """One error for all of them, which lists what each says; the only one itself."""
    if len(obstacles) == 1:
        return obstacles[0]
    lines = [line for error in obstacles for line in _lines(error)]
    numbered = [f"{i}. {line}" for i, line in enumerate(lines[:_SHOWN], start=1)]
    numbered += [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    hints = list(dict.fromkeys(line for error in obstacles for line in error.hint.splitlines() if line))
    kind = UnsupportedOpError if any(isinstance(error, UnsupportedOpError) for error in obstacles) else ModelError
    return kind(f"{len(lines)} things stand in the way of compiling the model", why="\n       ".join(numbered), hint="\n".join(hints))


def _lines(error: ModelError) -> list[str]:
    """What an error says, or, where an engine joined several, what each of these says."""
    several = getattr(error, "obstacles", ())
    return list(several) or [error.what + (f" ({error.why})" if error.why else "")]


# --- reading ---------------------------------------------------------------------------------------------------------------------------


def _read(data: bytes) -> _File | None:
    """The file's tables without judging them; None where reading it in full says what is wrong."""
    import tflite

    model = tflite.Model.GetRootAsModel(data, 0)
    if model.SubgraphsLength() < 1:
        return None
    graph = model.Subgraphs(0)
    counts = (graph.TensorsLength(), graph.OperatorsLength(), model.OperatorCodesLength(), model.BuffersLength())
    if max(*counts, graph.InputsLength(), graph.OutputsLength()) > MAX_TENSORS:
        return None
    tensors = tuple(_tensor(model, graph.Tensors(i)) for i in range(counts[0]))
    codes = [_code(model.OperatorCodes(i)) for i in range(counts[2])]
    operators = []
    for i in range(counts[1]):
        row = graph.Operators(i)
        if max(row.InputsLength(), row.OutputsLength()) > MAX_TENSORS:
            return None
        ends = [
            tuple(index for index in (int(get(j)) for j in range(length)) if 0 <= index < counts[0])
            for get, length in ((row.Inputs, row.InputsLength()), (row.Outputs, row.OutputsLength()))
        ]
        operators.append(_Operator(*codes[row.OpcodeIndex()], *ends))
    inputs, outputs = (
        tuple(index for index in (int(get(i)) for i in range(length)) if 0 <= index < counts[0])
        for get, length in ((graph.Inputs, graph.InputsLength()), (graph.Outputs, graph.OutputsLength()))
    )
    return _File(tensors, tuple(operators), inputs, outputs)


def _code(code: Any) -> tuple[str, str]:
    kind = operator_name(max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode())))
    return kind, _printable(code.CustomCode()) if kind == "CUSTOM" else ""


def _printable(raw: bytes | None) -> str:
    return "".join(c if c.isprintable() else "?" for c in (raw or b"").decode("utf-8", "replace"))


def _tensor(model: Any, tensor: Any) -> _Tensor:
    shape, signature = (
        tuple(int(get(i)) for i in range(min(length, 9)))
        for get, length in ((tensor.Shape, tensor.ShapeLength()), (tensor.ShapeSignature, tensor.ShapeSignatureLength()))
    )
    q = tensor.Quantization()
    scales = () if q is None or not q.ScaleLength() else tuple(map(float, q.ScaleAsNumpy()))
    constant = model.Buffers(tensor.Buffer()).DataLength() > 0
    return _Tensor(_printable(tensor.Name()), shape, signature, type_name(tensor.Type()), constant, scales)


# --- judging ---------------------------------------------------------------------------------------------------------------------------


def _find(file: _File, flash_bytes: int, supported: Collection[str] | None) -> Iterator[ModelError]:
    yield from _schemes(file)
    yield from _customs(file)
    if supported is not None:
        yield from _missing(file, supported)
    yield from _sizes(file)
    yield from _long_indices(file)
    yield from _scales(file)
    yield from _flash(file, flash_bytes)


def _schemes(file: _File) -> Iterator[ModelError]:
    """In which of TensorFlow Lite's schemes the layers compute, if not in int8: once for each scheme, with the first layer."""
    seen: dict[str, list[tuple[_Operator, _Tensor, _Tensor]]] = {}
    for operator in file.operators:
        if operator.kind in WEIGHTED and len(operator.inputs) > 1:
            x, w = (file.tensors[i] for i in operator.inputs[:2])
            if x.dtype != "int8" and (x.dtype, w.dtype) in SCHEMES:
                seen.setdefault(SCHEMES[x.dtype, w.dtype], []).append((operator, x, w))
    for scheme, layers in seen.items():
        operator, x, w = layers[0]
        end = file.tensors[file.inputs[0]] if file.inputs else x
        more = f", as in {len(layers)} layers" if len(layers) > 1 else ""
        yield ModelError(
            f"{scheme}: its input '{end.name[:_NAME]}' is {end.dtype}",
            why=f"its {operator.kind} reads {x.dtype} {x.words} and {w.dtype} weights{more}; the engine computes in int8",
            hint=f"convert the model with full integer quantisation: {_INT8}\n{_ENDS}",
        )


def _customs(file: _File) -> Iterator[ModelError]:
    for name, count in Counter(operator.custom for operator in file.operators if operator.kind == "CUSTOM").items():
        place = next(operator for operator in file.operators if operator.kind == "CUSTOM" and operator.custom == name)
        output = file.tensors[place.outputs[0]].words if place.outputs else "nothing"
        flex = name.startswith("Flex")
        yield UnsupportedOpError(
            f"the custom operator '{name[:_NAME]}' is not supported: it computes {output}"
            + (f", as {count} operators do" if count > 1 else ""),
            why="it is an operator of TensorFlow, not of TensorFlow Lite" if flex else "its code is not in the file",
            hint=_FLEX if flex else _CUSTOM,
        )


def _missing(file: _File, supported: Collection[str]) -> Iterator[ModelError]:
    kinds = Counter(operator.kind for operator in file.operators if operator.kind not in supported and operator.kind != "CUSTOM")
    for kind, count in sorted(kinds.items()):
        place = next(operator for operator in file.operators if operator.kind == kind)
        output = file.tensors[place.outputs[0]].words if place.outputs else "nothing"
        yield UnsupportedOpError(
            f"operator {kind} is not supported: it computes {output}" + (f", as {count} operators do" if count > 1 else ""),
            why="the engine has no such operator",
            hint="use a model without it",
        )


def _sizes(file: _File) -> Iterator[ModelError]:
    """Unknown sizes and batches, of the model's inputs first: what is computed from them follows."""
    used = {*file.inputs, *(i for operator in file.operators for i in (*operator.inputs, *operator.outputs))}
    unknown = [tensor for i, tensor in enumerate(file.tensors) if i in used and any(n < 1 for n in tensor.shape)]
    open_ends = [file.tensors[i] for i in file.inputs if any(n < 0 for n in file.tensors[i].signature[1:])]
    listed = list(dict.fromkeys([*open_ends, *unknown]))
    for tensor in listed[:1]:
        more = f"; so are those of {len(listed) - 1} other tensors" if len(listed) > 1 else ""
        yield ModelError(
            f"the size of tensor {tensor.words} is not known",
            why=f"its shape is {list(tensor.signature or tensor.shape)}{more}; memory is planned before anything runs",
            hint=_SIZES,
        )
    for tensor in (file.tensors[i] for i in file.inputs):
        if len(tensor.shape) == 4 and tensor.shape[0] > 1:
            yield UnsupportedOpError(
                f"the model's input {tensor.words} holds {tensor.shape[0]} images at once", why="the engine works on one", hint=_BATCH
            )


def _long_indices(file: _File) -> Iterator[ModelError]:
    used: dict[str, tuple[_Operator, _Tensor]] = {}
    for operator in file.operators:
        for index in (*operator.inputs, *operator.outputs):
            if file.tensors[index].dtype in ("int64", "uint64"):
                used.setdefault(operator.kind, (operator, file.tensors[index]))
    for kind, (_, tensor) in used.items():
        yield UnsupportedOpError(f"{kind} uses the {tensor.dtype} tensor {tensor.words}", why="the engine has no 64-bit values", hint=_LONG)


def _scales(file: _File) -> Iterator[ModelError]:
    """Scales that are no numbers (a constant of zeros may have 0), and layers whose factor from sums to results has no integer form."""
    for tensor in file.tensors:
        wrong = [scale for scale in tensor.scales if not math.isfinite(scale) or scale < 0 or (scale == 0 and not tensor.constant)]
        if wrong:
            yield ModelError(f"tensor {tensor.words} has a scale that is not a positive number", why=f"it is {wrong[0]:g}", hint=_AGAIN)
    for operator in file.operators:
        if operator.kind not in WEIGHTED or len(operator.inputs) < 2 or not operator.outputs:
            continue
        x, w, y = (file.tensors[i] for i in (*operator.inputs[:2], operator.outputs[0]))
        factors = [x.scales[0] * scale / y.scales[0] for scale in w.scales] if x.scales and y.scales and min(y.scales) > 0 else []
        if any(math.isfinite(factor) and factor >= 2.0**_LARGEST_SHIFT for factor in factors):
            yield ModelError(
                f"{operator.kind} of tensor {y.words} has a factor of {max(factors):.3g} from its sums to its results",
                why=f"the scales are {x.scales[0]:.3g} (input), {max(w.scales):.3g} (weights), {y.scales[0]:.3g} (output)",
                hint=_AGAIN,
            )


def _flash(file: _File, flash_bytes: int) -> Iterator[ModelError]:
    sizes = {
        tensor: math.prod(tensor.shape) * TYPE_BYTES.get(tensor.dtype, 1)
        for tensor in file.tensors
        if tensor.constant and all(n > 0 for n in tensor.shape)
    }
    total = sum(sizes.values())
    if total > flash_bytes:
        largest = max(sizes, key=lambda tensor: sizes[tensor])
        yield ModelError(
            f"the model's weights take {total:,} bytes, and the chip has {flash_bytes:,} bytes of flash",
            why=f"the largest is {largest.words} with {sizes[largest]:,} bytes",
            hint="use a smaller model: fewer channels, or pooling in front of the first dense layer",
        )
