# SPDX-License-Identifier: Apache-2.0
"""The short requantisation equals the rule for every sum, or is not offered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cm4tiny.firmware.kernels.int16 import winograd_requant
from cm4tiny.firmware.kernels.int16.requant import Int16Requant, plan_int16
from cm4tiny.firmware.kernels.int16.winograd_requant import shorten
from cm4tiny.firmware.kernels.quant import quantize_multiplier

CHANNELS = 6


def layer(seed: int, *, relu: bool = True, factor: float = 0.004) -> tuple[Int16Requant, Any, Any]:
    """A rule for small random weights, and the range of its sums without bias."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(-127, 128, (CHANNELS, 18)).astype(np.int8)
    bias = rng.integers(-40000, 40000, CHANNELS).astype(np.int32)
    multipliers = [quantize_multiplier(float(f)) for f in factor * rng.uniform(0.1, 1, CHANNELS)]
    zero_point = -128 if relu else int(rng.integers(-128, 128))
    rule = plan_int16(weights, bias, multipliers, input_zero_point=-128, output_zero_point=zero_point, low=-128, high=127)
    wide = weights.astype(np.int64) * 255
    return rule, np.minimum(wide, 0).sum(axis=1), np.maximum(wide, 0).sum(axis=1)


def every_sum(low: Any, high: Any) -> Any:
    """[sums, channels]: all from the lowest to the highest of each channel."""
    count = int((high - low).max()) + 1
    return np.minimum(low + np.arange(count)[:, None], high)


@pytest.mark.parametrize("scale", [576, 2048, 1152])
@pytest.mark.parametrize("seed", range(4))
def test_the_short_form_equals_the_rule_for_every_sum(seed: int, scale: int) -> None:
    rule, low, high = layer(seed)
    short = shorten(rule, scale, low, high)
    assert short is not None
    sums = every_sum(low, high)
    assert np.array_equal(short.apply(sums), rule.apply(2 * sums + rule.bias))
    reach = (short.scale * np.stack([low, high]) * short.mantissa.astype(np.int64) + (1 << 31) >> 32) + short.rounding
    assert -(1 << 31) <= reach.min() <= reach.max() < 1 << 31


def test_a_coarse_scale_gives_no_short_form_or_an_exact_one() -> None:
    found = []
    for seed in range(12):
        rule, low, high = layer(seed)
        short = shorten(rule, 4, low, high)
        if short is not None:
            sums = every_sum(low, high)
            assert np.array_equal(short.apply(sums), rule.apply(2 * sums + rule.bias))
        found.append(short is None)
    assert any(found)


def test_a_constant_channel_has_a_short_form() -> None:
    rule, low, high = layer(1)
    for constant in (0, 17, 255):
        mantissa, rounding, shift, bias = (a.copy() for a in (rule.mantissa, rule.rounding, rule.shift, rule.bias))
        mantissa[2], rounding[2], shift[2], bias[2] = 0, constant, 0, 1 << 30
        changed = Int16Requant(True, -128, bias, mantissa, rounding, shift)
        short = shorten(changed, 576, low, high)
        assert short is not None
        sums = every_sum(low, high)
        assert (short.apply(sums)[:, 2] == constant).all()
        assert short.mantissa[2] == 0 and (short.mantissa[[0, 1, 3, 4, 5]] > 0).all()
        assert np.array_equal(short.apply(sums), changed.apply(2 * sums + bias))


def test_a_scale_that_overflows_is_refused() -> None:
    rule, low, high = layer(2)
    limit = (1 << 31) // int(np.maximum(-low, high).max())
    assert shorten(rule, limit - 1, low, high) is not None
    assert shorten(rule, limit + 1, low, high) is None


def test_rules_without_the_clamp_have_no_short_form() -> None:
    rule, low, high = layer(3, relu=False)
    assert shorten(rule, 576, low, high) is None


def test_no_channel_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rule, low, high = layer(0)
    whole = winograd_requant._channel
    monkeypatch.setattr(winograd_requant, "_channel", lambda first, *rest: None if rest[-1] == high[4] else whole(first, *rest))
    assert shorten(rule, 576, low, high) is None


@pytest.mark.parametrize("ideal", range(4))
def test_no_mantissa_is_negative(ideal: int) -> None:
    """Between the steps the proof takes a rule that does not fall: neighbours of a small mantissa must not go below zero."""
    first = np.full((255, 1), 101)  # the rule's value is 0 for every sum from 0 to 100 ...
    first[0] = 100  # ... but 1 at the last one, which needs a larger mantissa
    found = winograd_requant._channel(first, 1 << 20, 2, ideal, 0, 100)
    assert found is None or found[0] >= 0
