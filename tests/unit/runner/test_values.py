# SPDX-License-Identifier: Apache-2.0
"""What the numbers of an answer can be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cm4tiny.benchmarks import ALL_BENCHMARKS, get_benchmark
from cm4tiny.errors import ProtocolError
from cm4tiny.runner import Inference
from cm4tiny.runner.values import check_results, impossible


@given(arrays(np.float64, 12, elements=st.floats(-20, 20)))
def test_a_printed_int8_softmax_is_possible(logits: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> None:
    exact = np.exp(logits - logits.max())
    exact /= exact.sum()
    quantised = np.clip(np.round(exact * 256) - 128, -128, 127)
    printed = tuple(float(f"{(q + 128) / 256:.3f}") for q in quantised)
    assert impossible(printed, "softmax") == "" or abs(sum(printed) - 1) > 0.02  # twelve roundings may add up, as good as never do


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((9.0, 0.0), "9 is not a probability"),
        ((1.984, -0.984), "1.984 is not a probability"),
        ((1.02, -0.02), "is not a probability"),
        ((0.5, 0.4), "the sum of the probabilities is 0.900"),
        ((0.5, 0.521), "the sum of the probabilities is 1.021"),
        ((0.0, 0.0), "the sum of the probabilities is 0.000"),
        ((1e300, 0.0), "is not a probability"),
    ],
)
def test_what_no_softmax_gives_is_named(values: tuple[float, ...], why: str) -> None:
    assert why in impossible(values, "softmax")


def test_the_tolerance_is_inclusive() -> None:
    assert impossible((0.5, 0.52), "softmax") == impossible((0.5, 0.48), "softmax") == ""


def test_only_a_confirmed_answer_may_lose_what_truncation_loses() -> None:
    # sums as low as 0.962 are in the accuracy log of round v1.2's closed/bosch/results/NUCLEO_L4R5ZI_int8/kws
    printed = (0.0, 0.0, 0.007, 0.066, 0.0, 0.0, 0.0, 0.0, 0.0, 0.816, 0.0, 0.089)
    assert "0.978" in impossible(printed, "softmax")
    assert impossible(printed, "softmax", confirmed=True) == ""
    assert "0.900" in impossible((0.9, *[0.0] * 11), "softmax", confirmed=True)
    assert "1.021" in impossible((0.521, 0.5), "softmax", confirmed=True)  # truncation never adds
    assert "0.970" in impossible((0.97, 0.0), "softmax", confirmed=True)  # two values lose less than twelve


def test_a_score_is_finite_and_not_negative() -> None:
    assert impossible((0.0,), "score") == impossible((1e30,), "score") == ""
    assert "negative" in impossible((-0.001,), "score")
    assert "finite" in impossible((float("inf"),), "score")
    assert impossible((-5.0, 300.0), "numbers") == ""


def test_every_benchmark_says_what_its_numbers_are() -> None:
    assert {b.id: b.output_kind for b in ALL_BENCHMARKS.values()} == {
        "ad": "score",
        "ic": "softmax",
        "kws": "softmax",
        "vww": "softmax",
        "ic02": "softmax",
        "sww": "softmax",
    }


def test_the_error_shows_the_numbers_and_what_to_do() -> None:
    with pytest.raises(ProtocolError, match=r"the results are not those of vww01: the sum of the probabilities is 0\.700") as error:
        check_results(Inference(1, 0, None, (0.3, 0.4)), get_benchmark("vww"))
    assert "m-results-[0.3,0.4]" in error.value.why and "softmax" in error.value.hint
