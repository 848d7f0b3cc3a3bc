# SPDX-License-Identifier: Apache-2.0
"""A model that belongs to no benchmark, described as the firmware needs it: what is sent, what is answered, under which name."""

from __future__ import annotations

import math
import re
from pathlib import Path

from cm4tiny.benchmarks.table import ALL_BENCHMARKS, Benchmark

OWN = "own"
"""Where a benchmark's id stands for others: the model itself is what runs."""
_MAX_NAME = 40
_FORBIDDEN = re.compile(r"[^\w.+-]+", re.ASCII)


def model_name(file: str | Path) -> str:
    """What the firmware of a model file answers as ``m-model-[...]``: the file's name, never one of a benchmark's model.

    Letters, digits, ``_``, ``.``, ``+`` and ``-`` are kept, at most 40; a benchmark's name (``kws01``) becomes ``own-kws01``.
    """
    plain = _FORBIDDEN.sub("_", Path(file).stem).strip("_.")[:_MAX_NAME] or "model"
    taken = {word.casefold() for row in ALL_BENCHMARKS.values() for word in (row.id, row.model_id)}
    return f"{OWN}-{plain}" if plain.casefold() in taken else plain


def own_model(name: str, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> Benchmark:
    """The description of a model of someone's with one int8 input and one int8 output.

    The bytes of ``db`` are the input tensor; the results are all values of the output, dequantised. There is no data set, no metric and no
    quality target.
    """
    outputs = math.prod(output_shape)
    return Benchmark(
        id=OWN,
        name="a model that belongs to no benchmark",
        embedded=False,
        default_job=False,
        since="",
        model_id=name,
        data_set="",
        input_kind="int8",
        input_bytes=math.prod(input_shape),
        stride_bytes=0,
        model_input_shape=input_shape,
        model_output_shape=output_shape,
        classes=outputs,
        results=outputs,
        output_kind="numbers",
        metric="",
        quality_target=0.0,
        labels=(),
    )
