# SPDX-License-Identifier: Apache-2.0
"""What the compiler takes and returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cm4tiny.firmware.inference_code import HEADER, MODEL_UNIT, InferenceCode, TensorInfo
from cm4tiny.firmware.layers import layer_records


@dataclass(frozen=True)
class CompileOptions:
    """How a model is compiled; the results of its inferences are the same bits whatever is chosen.

    Attributes:
        ram_budget: bytes of RAM for activations, scratch memory and weights; None: as fast as possible, whatever it takes.
        flash_budget: bytes of flash for weights and tables; None: no limit.
        skip_zero: dot products whose weights are all zero are not computed.
        prune_channels: channels that cannot change the result are removed with their non-zero weights: open division.
        int16: False leaves only the int8 kernels.
        forced: layer number -> candidate id, for measuring candidates.
    """

    ram_budget: int | None = None
    flash_budget: int | None = None
    skip_zero: bool = True
    prune_channels: bool = False
    int16: bool = True
    forced: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LayerInfo:
    """One step of the compiled model, for reports.

    Attributes:
        name: of its C function.
        kind: of its kernel.
        output_shape: of its result.
        macs: multiply-accumulates of one inference that are computed; padding counts.
        const_bytes: weights and tables in flash, also those that are copied to RAM at boot.
        workspace_bytes: scratch memory while it runs.
        ram_bytes: weights and tables in RAM.
        choice: id of the candidate that computes it.
        content: digest of what the candidate was chosen for: see :mod:`.costs`.
        candidates: ids of all candidates.
        fallback: why it has an int8 kernel though its kind has int16 ones; "" otherwise.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    macs: int
    const_bytes: int
    workspace_bytes: int
    ram_bytes: int = 0
    choice: str = ""
    content: str = ""
    candidates: tuple[str, ...] = ()
    fallback: str = ""


@dataclass(frozen=True)
class CompiledModel:
    """A model as freestanding C.

    Attributes:
        source: text of ``model.c``, which includes ``model.h``.
        header: text of ``model.h``.
        input, output: the int8 tensors of the model.
        arena_bytes: static RAM of activations and workspaces.
        const_bytes: weights and tables in flash.
        layers: in order of execution, conversions included.
        ram_bytes: static RAM of the model: the arena, and constants that are copied at boot.
        division: MLPerf Tiny's division that the code keeps to: "closed" or "open", see docs/closed-division.md.
        division_reason: what makes it open.
    """

    source: str
    header: str
    input: TensorInfo
    output: TensorInfo
    arena_bytes: int
    const_bytes: int
    layers: tuple[LayerInfo, ...]
    ram_bytes: int = 0
    division: str = "closed"
    division_reason: str = ""

    @property
    def code(self) -> InferenceCode:
        """What goes into a firmware image."""
        files = {MODEL_UNIT: self.source, HEADER: self.header}
        return InferenceCode(files, self.input, self.output, layers=layer_records(self.layers))
