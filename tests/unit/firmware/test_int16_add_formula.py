# SPDX-License-Identifier: Apache-2.0
"""The fixed-point formulas of the int16 addition give TFLite's sum for all pairs of values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cm4tiny.firmware.kernels.add import plan_add
from cm4tiny.firmware.kernels.int16.add import Formula, exact, find_formula
from cm4tiny.firmware.kernels.quant import requantize


def evaluate(formula: Formula, a: Any, b: Any) -> Any:
    """What the instructions compute for each pair, int64 [len(a), len(b)]; no sum may leave 32 bits."""
    if formula.swapped:
        a, b = b, a
    first = (formula.factor_a * a >> 16) + formula.offset if formula.table is None else formula.table.astype(np.int64)[a - formula.lowest]
    total = first[:, None] + (formula.factor_b * b >> 16)[None, :]
    assert np.abs(total).max() < 1 << 31
    low, high = (0, 255) if formula.relu else (-128, 127)
    value = np.clip(total >> formula.shift, low, high) - (0 if formula.relu else formula.zero_point)
    return value.T if formula.swapped else value


@pytest.mark.parametrize("seed", range(24))
def test_all_pairs_get_the_exact_sum_or_there_is_no_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ratio = 10.0 ** rng.uniform(-2, 2)
    scale = float(np.float32(rng.uniform(0.01, 0.2)))
    a, b = (scale, int(rng.integers(-128, 128))), (float(np.float32(scale * ratio)), int(rng.integers(-128, 128)))
    out = (max(a[0], b[0]) * rng.uniform(0.5, 2.0), -128 if seed % 2 else int(rng.integers(-128, 128)))
    plan = plan_add(a, b, out, low=-128, high=127)
    values = exact(plan)
    np.testing.assert_array_equal(evaluate(find_formula(plan), *values[:2]), values[2])


def test_the_exact_table_is_tflites_rule() -> None:
    plan = plan_add((0.07, 3), (0.05, -50), (0.1, 20), low=-128, high=127)
    a, b, total = exact(plan)
    for i in range(0, 256, 17):
        for j in range(0, 256, 13):
            summed = requantize(int(a[i]) << 20, plan.multiplier_a) + requantize(int(b[j]) << 20, plan.multiplier_b)
            assert total[i, j] == min(max(requantize(summed, plan.multiplier) + 20, -128), 127) - 20


def test_the_first_addition_of_the_image_model_needs_the_table() -> None:
    scales = ((0.039393551647663116, -128), (0.10419496148824692, 4), (0.050945673137903214, -128))
    assert find_formula(plan_add(*scales, low=-128, high=127)).table is not None


def test_where_all_sums_are_saturated_at_one_end_the_numbers_still_fit_into_32_bits():
    plan = plan_add((0.0636, -101), (4.965, -128), (6.6435, 127), low=-128, high=127)
    a, b, wanted = exact(plan)
    assert not wanted.any()  # 127, whatever is added
    formula = find_formula(plan)
    sums = (formula.factor_a * a >> 16)[:, None] + (formula.factor_b * b >> 16)[None, :] + formula.offset
    assert np.abs(sums).max() < 1 << 31
    assert not (np.clip(sums >> formula.shift, -128, 127) - plan.zero_point).any()
