"""What the compiler returns."""

from __future__ import annotations

from dataclasses import dataclass

from cm4tiny.firmware.inference_code import HEADER, MODEL_UNIT, InferenceCode, TensorInfo


@dataclass(frozen=True)
class LayerInfo:
    """One layer of the compiled model, for reports.

    Attributes:
        name: of its C function.
        kind: of its kernel.
        output_shape: of its result.
        macs: multiply-accumulates of one inference.
        const_bytes: weights and tables in flash.
        workspace_bytes: scratch memory while it runs.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    macs: int
    const_bytes: int
    workspace_bytes: int


@dataclass(frozen=True)
class CompiledModel:
    """A model as freestanding C.

    Attributes:
        source: text of ``model.c``, which includes ``model.h``.
        header: text of ``model.h``.
        input, output: the int8 tensors of the model.
        arena_bytes: static RAM of the model: activations and workspaces.
        const_bytes: weights and tables in flash.
        layers: in order of execution.
    """

    source: str
    header: str
    input: TensorInfo
    output: TensorInfo
    arena_bytes: int
    const_bytes: int
    layers: tuple[LayerInfo, ...]

    @property
    def code(self) -> InferenceCode:
        """What goes into a firmware image."""
        return InferenceCode({MODEL_UNIT: self.source, HEADER: self.header}, self.input, self.output)
