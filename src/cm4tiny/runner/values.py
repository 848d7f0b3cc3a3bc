# SPDX-License-Identifier: Apache-2.0
"""What the numbers of an answer can be: how many there are, and what the benchmark's model can give."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cm4tiny.errors import ProtocolError

if TYPE_CHECKING:
    from cm4tiny.benchmarks import Benchmark
    from cm4tiny.runner.dut import Inference

SUM_TOLERANCE = 0.02
"""How far the sum of a printed softmax may be from 1.

Three decimals and int8 steps of 1/256 add up to far less in practice: 0.011 is the largest deviation of the 1,000 kws and 0.007 that of the
200 ic vectors that each NUCLEO system of round v1.3 published.
"""
TRUNCATION = 1 / 256 + 0.001
"""What one probability loses where the softmax rounds its int8 step down and the print its third decimal.

Such firmware exists: sums of the 1,000 kws vectors of round v1.2's closed/bosch/results/NUCLEO_L4R5ZI_int8 go down to 0.962. An answer that
the device confirmed may lose as much; one that it did not confirm may not, since there a lost digit looks alike.
"""


def check_results(inference: Inference, benchmark: Benchmark, *, confirmed: bool = False) -> Inference:
    """The inference itself if its numbers can be an answer of the benchmark's model, else :class:`ProtocolError`.

    Args:
        confirmed: the device gave the same numbers twice, or their checksum.
    """
    values = inference.results
    if len(values) != benchmark.results:
        raise ProtocolError(
            f"the device printed {len(values)} results, {benchmark.model_id} has {benchmark.results}",
            why=_shown(values),
            hint=f"flash the image of {benchmark.model_id}",
        )
    wrong = impossible(values, benchmark.output_kind, confirmed=confirmed)
    if wrong:
        raise ProtocolError(
            f"the results are not those of {benchmark.model_id}: {wrong}",
            why=_shown(values),
            hint="if this happens once, the line was disturbed; if it happens always, the image does not print what the reference firmware "
            "prints (th_results: dequantised outputs of the model, which ends in a softmax)"
            if benchmark.output_kind == "softmax"
            else "flash an image that prints the mean squared error, as the reference firmware does",
        )
    return inference


def impossible(values: tuple[float, ...], kind: str, *, confirmed: bool = False) -> str:
    """Why numbers cannot be an output of that kind (``output_kind`` in ``benchmarks.yaml``), or an empty text."""
    if not all(map(math.isfinite, values)):
        return "a number is not finite"
    if kind == "softmax":
        outside = next((value for value in values if not 0.0 <= value <= 1.0), None)
        if outside is not None:
            return f"{outside:g} is not a probability"
        total = math.fsum(values)
        missing = max(SUM_TOLERANCE, TRUNCATION * len(values)) if confirmed else SUM_TOLERANCE
        if not 1.0 - missing - 1e-9 <= total <= 1.0 + SUM_TOLERANCE + 1e-9:
            return f"the sum of the probabilities is {total:.3f}"
    if kind == "score" and min(values) < 0.0:
        return f"{min(values):g} is negative, which a mean of squares cannot be"
    return ""


def _shown(values: tuple[float, ...]) -> str:
    return f"m-results-[{','.join(map(str, values[:12]))}{',...' if len(values) > 12 else ''}]"
