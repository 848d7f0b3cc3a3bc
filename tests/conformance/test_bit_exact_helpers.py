# SPDX-License-Identifier: Apache-2.0
"""The portable C helpers against the arithmetic in Python, value by value."""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm4tiny.firmware.kernels import HELPERS
from cm4tiny.firmware.kernels.quant import Multiplier, high_mul, requantize, rounding_shift

CASES = settings(max_examples=500, deadline=None, derandomize=True)
int32 = st.integers(-(2**31), 2**31 - 1)
small_acc = st.integers(-(2**30), 2**30 - 1)
mantissas = st.one_of(st.just(0), st.integers(2**30, 2**31 - 1))
int8 = st.integers(-128, 127)
_NAMES = ("requant_relu", "requant", "requant_wide", "requant_any", "rounding_shift", "high_mul", "high", "mla2", "even", "odd")


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("helpers")
    text = HELPERS.read_text()
    for name in _NAMES:  # give the inline helpers addresses
        arity = 6 if name.startswith("requant") else {"mla2": 3, "even": 1, "odd": 1}.get(name, 2)
        names = "abcdef"[:arity]
        text += f"\nint32_t x_{name}({', '.join('int32_t ' + n for n in names)}) {{ return cm4t_{name}({', '.join(names)}); }}\n"
    (folder / "helpers.c").write_text(text)
    subprocess.run([compiler, "-O1", "-fsanitize=undefined", "-fno-sanitize-recover", "-shared", "-fPIC", "-Wall", "-Wno-unused-function",
                    "-o", "helpers.so", "helpers.c"], cwd=folder, check=True)  # fmt: skip
    library = ctypes.CDLL(str(folder / "helpers.so"))
    return {name: getattr(library, f"x_{name}") for name in _NAMES}


def expected(acc: int, multiplier: Multiplier, zero_point: int, low: int, high: int) -> int:
    return max(low, min(high, requantize(acc, multiplier) + zero_point))


@CASES
@given(small_acc, mantissas, st.integers(-31, -1), int8, int8)
def test_the_short_requantisation_is_exact_below_2_to_30(c, acc, mantissa, shift, zero_point, high):
    m = Multiplier(mantissa, shift)
    for low in (-128, min(high, 5)):
        assert c["requant"](acc, mantissa, -shift - 1, zero_point, low, max(low, high)) == expected(acc, m, zero_point, low, max(low, high))


@CASES
@given(small_acc, mantissas, st.integers(-31, -1), int8, st.integers(0, 100))
def test_the_clamp_at_the_zero_point_hides_the_shortcut(c, acc, mantissa, shift, zero_point, above):
    low = min(127, zero_point + above)
    got = c["requant_relu"](acc, mantissa, -shift - 1, zero_point, low, 127)
    assert got == expected(acc, Multiplier(mantissa, shift), zero_point, low, 127)


@CASES
@given(int32, mantissas, st.integers(-31, -1), int8)
def test_the_wide_requantisation_is_exact_for_every_accumulator(c, acc, mantissa, shift, zero_point):
    got = c["requant_wide"](acc, mantissa, -shift - 1, zero_point, -128, 127)
    assert got == expected(acc, Multiplier(mantissa, shift), zero_point, -128, 127)


@CASES
@given(int32, mantissas, st.integers(-31, 30), int8)
def test_the_general_requantisation_is_exact_for_every_shift(c, acc, mantissa, shift, zero_point):
    got = c["requant_any"](acc, mantissa, shift, zero_point, -128, 127)
    assert got == expected(acc, Multiplier(mantissa, shift), zero_point, -128, 127)


@CASES
@given(int32, int32, st.integers(0, 31))
def test_products_and_shifts_round_as_in_gemmlowp(c, a, b, exponent):
    b = max(b, -(2**31) + 1)
    assert c["high_mul"](a, b) == high_mul(a, b)
    assert c["high"](a, b) == (a * b + 2**31) >> 32
    assert c["rounding_shift"](a, exponent) == rounding_shift(a, exponent)


@CASES
@given(st.lists(int8, min_size=4, max_size=4), st.lists(int8, min_size=4, max_size=4), int32)
def test_a_widened_quad_keeps_its_dot_product(c, a, b, acc):
    words = [int(np.array(v, np.int8).view(np.int32)[0]) for v in (a, b)]
    total = acc
    for half in ("even", "odd"):
        total = c["mla2"](c[half](words[0]), c[half](words[1]), total)
    exact = acc + sum(x * y for x, y in zip(a, b, strict=True))
    assert total == (exact + 2**31) % 2**32 - 2**31
