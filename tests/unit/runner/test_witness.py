# SPDX-License-Identifier: Apache-2.0
"""The device's time against another clock, and against itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.errors import WitnessError
from cm4tiny.runner.witness import WRAP_US, Steady, Timing, elapsed_us


@given(st.integers(0, 2**32 - 1), st.integers(20_000, 60_000_000), st.floats(0.985, 1.015))
def test_what_both_clocks_say_is_accepted_also_over_a_wrap(start: int, us: int, rate: float) -> None:
    stop = (start + us) % WRAP_US
    assert elapsed_us(start, stop, Timing(us * 1e-6 * rate, 99.0)) == us


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.97, 1.03, 2.0, 10.0])
def test_another_clock_is_refused_with_its_ratio(ratio: float) -> None:
    with pytest.raises(WitnessError, match="the host's clock says 10 s") as error:
        elapsed_us(1000, 1000 + round(10e6 * ratio), Timing(10.0, 10.1))
    assert f"{ratio:.4g} times its speed" in error.value.why and "prescaler" in error.value.hint


def test_a_stop_before_the_start_is_a_wrap_only_if_the_witness_agrees() -> None:
    assert elapsed_us(WRAP_US - 1_000_000, 1_000_000, Timing(2.0, 2.0)) == 2_000_000
    with pytest.raises(WitnessError, match=r"4292\.97 s"):
        elapsed_us(3_000_000, 1_000_000, Timing(2.0, 2.0))


def test_stamps_of_64_bits_that_go_backwards_are_no_wrap() -> None:
    with pytest.raises(WitnessError):
        elapsed_us(2**40, 5, Timing(2.0, 2.0))


def test_a_virtual_board_must_agree_to_the_step_of_its_clock() -> None:
    assert elapsed_us(0, 10_000_150, Timing(10.0, 10.1, exact=True, checked=True)) == 10_000_150
    with pytest.raises(WitnessError, match="the board's cycle counter says 10 s"):
        elapsed_us(0, 10_000_300, Timing(10.0, 10.1, exact=True, checked=True))
    assert elapsed_us(0, 10_001_000, Timing(10.0, 10.1, exact=True, checked=True, resolution_us=1000)) == 10_001_000


def test_a_coarse_clock_may_differ_by_its_step_from_the_hosts_too() -> None:
    assert elapsed_us(0, 600_000, Timing(0.55, 9.0, resolution_us=100_000)) == 600_000
    for resolution_us in (1, 1000):
        with pytest.raises(WitnessError):
            elapsed_us(0, 600_000, Timing(0.55, 9.0, resolution_us=resolution_us))


def test_firmware_that_may_print_late_gets_some_milliseconds() -> None:
    assert elapsed_us(0, 10_005_000, Timing(10.0, 10.1, exact=True)) == 10_005_000
    with pytest.raises(WitnessError):
        elapsed_us(0, 10_020_000, Timing(10.0, 10.1, exact=True))


def test_a_busy_host_may_be_late_where_only_the_clock_can_be_wrong() -> None:
    assert elapsed_us(0, 50_000, Timing(0.2, 0.3, checked=True)) == 50_000
    for timing in (Timing(0.2, 0.3), Timing(0.5, 0.6, checked=True), Timing(10.3, 10.4, checked=True)):
        with pytest.raises(WitnessError):
            elapsed_us(0, 50_000 if timing.between_s < 1 else 10_000_000, timing)


def test_a_device_that_keeps_its_texts_is_judged_by_the_whole_command() -> None:
    assert elapsed_us(0, 10_000_000, Timing(0.0, 10.5, warmups=0.05)) == 10_000_000
    for wrong in (5_000_000, 11_500_000, 20_000_000):
        with pytest.raises(WitnessError):
            elapsed_us(0, wrong, Timing(0.0, 10.5, warmups=0.05))


KEPT = 10.5 / 1.1 * 0.98 - 0.030001, 10.5 / 1.025 * 1.02 + 0.030001  # a warm-up of 5 % takes twice as long, or half as long
LIMITS = [
    (Timing(10.0, 10.1, exact=True, checked=True), 9.999799, 10.000201),
    (Timing(10.0, 10.1, exact=True, checked=True, resolution_us=1000), 9.9988, 10.0012),
    (Timing(10.0, 10.1, exact=True), 9.989999, 10.010001),
    (Timing(10.0, 10.1), 9.769999, 10.230001),
    (Timing(10.0, 10.1, checked=True, resolution_us=1000), 9.769, 10.231),
    (Timing(1.0, 1.1, checked=True), 0.949999, 1.050001),
    (Timing(0.9, 1.0, checked=True), 0.631999, 1.168001),
    (Timing(0.031, 10.5, warmups=0.05), 0.000379, 0.061621),
    (Timing(0.03, 10.5, warmups=0.05), *KEPT),
]


@pytest.mark.parametrize(("timing", "least", "most"), LIMITS)
def test_each_limit_holds_to_two_microseconds(timing: Timing, least: float, most: float) -> None:
    """Both clocks' tolerances, as the constants of the module state them."""
    least_us, most_us = round(least * 1e6), round(most * 1e6)
    assert [timing.agrees(us) for us in (least_us - 2, least_us + 2, most_us - 2, most_us + 2)] == [False, True, True, False]


def test_a_short_time_that_is_not_like_the_others_is_measured_again() -> None:
    steady = Steady()
    steady.accept(50_000)
    steady.accept(50_200)
    with pytest.raises(WitnessError, match="took 59999 us by the device's clock, the one before took 50200 us"):
        steady.accept(59_999)
    steady.accept(50_100)  # it was the line
    with pytest.raises(WitnessError):
        steady.accept(60_000)
    steady.accept(60_010)  # it was the device
    steady.accept(60_000)


def test_the_third_odd_time_in_a_row_is_taken() -> None:
    steady = Steady()
    steady.accept(50_000)
    for time in (60_000, 70_000):
        with pytest.raises(WitnessError):
            steady.accept(time)
    steady.accept(80_000)
    assert steady.primed


def test_a_coarse_clock_may_differ_by_its_steps() -> None:
    steady = Steady()
    steady.accept(50_000, 1000)
    steady.accept(52_000, 1000)
    with pytest.raises(WitnessError):
        steady.accept(55_000, 1000)


@pytest.mark.parametrize(
    ("time", "step_us", "steady"),
    [(50_252, 1, True), (50_253, 1, False), (49_748, 1, True), (49_747, 1, False), (50_270, 10, True), (50_271, 10, False)],
)
def test_times_of_one_model_differ_by_half_a_percent_and_two_steps_at_most(time: int, step_us: int, steady: bool) -> None:
    times = Steady()
    assert not times.primed
    times.accept(50_000, step_us)
    if steady:
        times.accept(time, step_us)
    else:
        with pytest.raises(WitnessError, match=f"took {time} us"):
            times.accept(time, step_us)
