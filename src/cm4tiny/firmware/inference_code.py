# SPDX-License-Identifier: Apache-2.0
"""What an engine contributes to a firmware image: the code behind ``cm4tiny_model_run()``, whoever wrote it.

The harness and the board support are the same for every engine. An engine brings a header ``model.h`` (sizes and scales of the tensors, the
prototype), a unit that defines the function, and, if it needs them, archives of compiled third-party code and a C library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cm4tiny.firmware.c_library import CLibrary

HEADER = "model.h"
MODEL_UNIT = "model.c"


@dataclass(frozen=True)
class TensorInfo:
    """A model's input or output: real value = (stored value - ``zero_point``) * ``scale``; ``size`` counts values."""

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    size: int


@dataclass(frozen=True)
class InferenceCode:
    """See the module.

    Attributes:
        files: go into the folder ``generated`` of the build: ``model.h`` and the engine's units (``*.c``, ``*.cc``).
        input, output: the model's tensors.
        archives: static libraries, in link order.
        include: folders for the engine's units.
        flags: switches for the engine's units; empty: this project's own for generated C.
        library: the C library of the engine; None: the image is freestanding.
        tools: what made it and what it was made from, for the record of the build.
        layers: in order of execution, as :mod:`cm4tiny.firmware.layers` describes them; empty where they are not known.
    """

    files: Mapping[str, str]
    input: TensorInfo
    output: TensorInfo
    archives: tuple[Path, ...] = ()
    include: tuple[Path, ...] = ()
    flags: tuple[str, ...] = ()
    library: CLibrary | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Mapping[str, Any], ...] = ()


def model_header(model_input: TensorInfo, model_output: TensorInfo, *, init: bool = False, halves_down: bool = False) -> str:
    """Text of ``model.h``. Scales are hexadecimal float literals, which round-trip.

    Args:
        init: the engine has a ``cm4tiny_model_init()`` that the harness calls once at start-up.
        halves_down: results are printed as the engine's own firmware printed them, halves of the last digit down.
    """
    lines = ["/* Generated: the model's interface. */", "#ifndef CM4TINY_MODEL_H", "#define CM4TINY_MODEL_H", "", "#include <stdint.h>", ""]
    for what, tensor in (("INPUT", model_input), ("OUTPUT", model_output)):
        lines += [
            f"#define CM4TINY_MODEL_{what}_SIZE {tensor.size}",
            f"#define CM4TINY_MODEL_{what}_SCALE {float_literal(tensor.scale)} /* {tensor.scale:.9g} */",
            f"#define CM4TINY_MODEL_{what}_ZERO_POINT ({tensor.zero_point})",
        ]
    is_float = model_input.dtype == "float32"
    value = "float" if is_float else "int8_t"
    lines += [
        f"#define CM4TINY_MODEL_FLOAT {int(is_float)}",
        f"#define CM4TINY_MODEL_INIT {int(init)}",
        f"#define CM4TINY_MODEL_HALVES_DOWN {int(halves_down)}",
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
    ]
    if init:
        lines += [
            "/* Once, before the first inference. Returns 0, or why there will be none: then cm4tiny_model_run() is never called. */",
            "const char *cm4tiny_model_init(void);",
            "",
        ]
    lines += [
        f"/* One inference; input and output hold the {'real' if is_float else 'quantised'} values and must not overlap. */",
        f"void cm4tiny_model_run(const {value} *input, {value} *output);",
        "",
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def float_literal(value: float) -> str:
    """A C literal of a float32 value that reads back to the same bits."""
    return f"{float(np.float32(value)).hex()}f"
