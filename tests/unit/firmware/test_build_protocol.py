# SPDX-License-Identifier: Apache-2.0
"""The firmware's side of the protocol, as a program of this machine with a stub model (no board, no cross compiler)."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.firmware_stubs import INPUT_SCALE, INPUT_ZERO_POINT, OUTPUT_SCALE, OUTPUT_ZERO_POINT, HostHarness, load_commands

from cm4tiny.benchmarks import BENCHMARKS


@pytest.fixture(scope="session")
def kws(tmp_path_factory: pytest.TempPathFactory) -> HostHarness:
    return HostHarness(tmp_path_factory.mktemp("kws"), "kws", "performance")


@pytest.fixture(scope="session")
def ad(tmp_path_factory: pytest.TempPathFactory) -> HostHarness:
    return HostHarness(tmp_path_factory.mktemp("ad"), "ad", "performance")


@pytest.fixture(scope="session")
def energy(tmp_path_factory: pytest.TempPathFactory) -> HostHarness:
    return HostHarness(tmp_path_factory.mktemp("energy"), "ic", "energy")


INPUT = bytes((7 * i) % 256 for i in range(490))


def expected_probabilities(tensor: list[int]) -> str:
    return ",".join(f"{(q - OUTPUT_ZERO_POINT) * OUTPUT_SCALE:.3f}" for q in tensor)


def signed(data: bytes) -> list[int]:
    return list(struct.unpack(f"{len(data)}b", data))


def test_the_greeting_is_the_one_of_the_api(kws: HostHarness) -> None:
    assert kws.talk(b"") == "m-timestamp-mode-performance\r\nm-lap-us-7\r\nm-init-done\r\nm-ready\r\n"


def test_in_energy_mode_the_pin_pulses_instead_of_a_lap(energy: HostHarness) -> None:
    assert energy.talk(b"timestamp%") == (
        "<pin 0><pin 1>".join(["m-timestamp-mode-energy\r\n", "m-init-done\r\nm-ready\r\n", "m-ready\r\n"])
    )


def test_name_and_profile_are_answered_as_the_api_spells_them(kws: HostHarness) -> None:
    assert kws.answers("name", "profile") == [
        "m-name-dut-[cm4tiny]\r\n",
        "m-profile-[ULPMark for tinyML Firmware V0.0.1]\r\nm-model-[kws01]\r\n",
    ]


@pytest.mark.parametrize("benchmark", sorted(BENCHMARKS))
def test_every_benchmark_answers_with_its_model_and_its_number_of_results(benchmark: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    harness = HostHarness(tmp_path_factory.mktemp(benchmark), benchmark, "performance")
    row = BENCHMARKS[benchmark]
    *_, profile, inference = harness.answers(*load_commands(bytes(row.input_bytes), 512), "profile", "infer 1 0")
    assert f"m-model-[{row.model_id}]\r\n" in profile
    assert inference.rpartition("m-results-[")[2].count(",") == row.results - 1


def test_an_inference_reports_warm_up_laps_and_results_in_order(kws: HostHarness) -> None:
    answer = kws.answers(*load_commands(INPUT), "infer 3 2")[-1]
    assert answer == (
        "m-warmup-start-2\r\nm-warmup-done\r\nm-infer-start-3\r\nm-lap-us-14\r\nm-lap-us-21\r\nm-infer-done\r\n"
        f"m-results-[{expected_probabilities(signed(INPUT)[:12])}]\r\n"
    )


def test_an_image_whose_model_cannot_be_set_up_answers_errors_and_never_results(tmp_path: Path) -> None:
    broken = HostHarness(tmp_path, "kws", "performance", failure="the arena is too small")
    error = "e-[The model cannot be set up: the arena is too small]\r\n"
    assert broken.talk(b"").startswith(error)
    assert broken.answers(*load_commands(INPUT), "infer 3 2", "results", "infer 1 0", "results")[-4:] == [error] * 4


def checksums(harness: HostHarness, *commands: str) -> tuple[list[str], list[int]]:
    """The answers to some commands, and what ``check`` says after each."""
    answers = harness.answers(*(part for command in commands for part in (command, "check")))
    found = [re.fullmatch(r"m-check-([0-9a-f]{8})-1040\r\n", answer) for answer in answers[1::2]]
    return answers[::2], [int(match[1], 16) for match in found if match]


def test_check_tells_the_crc_of_the_answer_before_it(kws: HostHarness) -> None:
    commands = [*load_commands(INPUT, 245), "infer 3 2", "results", "name", "what", "", "db zz"]
    answers, sums = checksums(kws, *commands)
    assert sums == [zlib.crc32(answer.encode("latin-1")) for answer in answers]


def test_check_can_be_asked_again(kws: HostHarness) -> None:
    assert len(set(kws.answers("profile", "check", "check", "check")[1:])) == 1


def test_a_refused_command_has_a_checksum_as_well(kws: HostHarness) -> None:
    answers, sums = checksums(kws, "x" * 1041, "na\x01me")
    assert sums == [zlib.crc32(answer.encode("latin-1")) for answer in answers]
    assert "Command longer than" in answers[0] and "Receiver overrun" in answers[1]


@pytest.mark.parametrize("count", [1, 31, 489, 490])
def test_db_crc_is_the_crc_of_the_bytes_that_arrived(kws: HostHarness, count: int) -> None:
    answer = kws.answers("db load 490", *load_commands(INPUT[:count])[1:], "db crc")[-1]
    assert answer == f"m-buffer-crc-{zlib.crc32(INPUT[:count]):08x}\r\n"


def test_db_crc_before_a_load_is_that_of_nothing(kws: HostHarness) -> None:
    assert kws.answers("db crc") == ["m-buffer-crc-00000000\r\n"]


def test_infer_defaults_to_one_inference_after_ten_warm_ups(kws: HostHarness) -> None:
    answer = kws.answers(*load_commands(INPUT), "infer")[-1]
    assert "m-warmup-start-10\r\n" in answer
    assert "m-infer-start-1\r\n" in answer


def test_results_repeats_the_last_results(kws: HostHarness) -> None:
    *_, inference, results = kws.answers(*load_commands(INPUT), "infer 1 0", "results")
    assert inference.endswith(results)


def test_image_bytes_reach_the_model_minus_128(energy: HostHarness) -> None:
    pixels = bytes(range(256)) * 12
    answer = energy.answers(*load_commands(pixels, 512), "infer 1 0")[-1]
    assert f"m-results-[{expected_probabilities([p - 128 for p in pixels[:10]])}]" in answer


def test_each_window_edge_is_a_falling_edge_in_energy_mode(energy: HostHarness) -> None:
    answer = energy.answers(*load_commands(bytes(3072), 512), "infer 2 0")[-1]
    assert "m-infer-start-2\r\n<pin 0><pin 1><pin 0><pin 1>m-infer-done\r\n" in answer
    assert "m-lap" not in answer


def quantised(value: float) -> int:
    """TFLite's rounding, in exact arithmetic: INPUT_SCALE is a power of two."""
    ratio = value / INPUT_SCALE
    rounded = int(abs(ratio) + 0.5) * (1 if ratio >= 0 else -1)
    return max(-128, min(127, rounded + INPUT_ZERO_POINT))


def mean_squared_error(values: list[float]) -> float:
    return sum(((quantised(v) - OUTPUT_ZERO_POINT) * OUTPUT_SCALE - v) ** 2 for v in values) / len(values)


def as_floats(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-400, 400).map(lambda n: n / 16), min_size=640, max_size=640))
def test_anomaly_detection_answers_the_mean_squared_error_of_the_dequantised_output(ad: HostHarness, values: list[float]) -> None:
    answer = ad.answers(*load_commands(as_floats(values), 512), "infer 1 0")[-1]
    assert float(answer.rpartition("m-results-[")[2].rstrip("]\r\n")) == pytest.approx(mean_squared_error(values), rel=1e-4, abs=6e-4)


@pytest.mark.parametrize("value", [0.0625, -0.0625, 0.1875, -0.1875, 0.06249999, 15.2, 15.3125, -16.6, -16.7, 1e30, -1e30])
def test_quantisation_rounds_halves_away_from_zero_and_clamps(ad: HostHarness, value: float) -> None:
    answer = ad.answers(*load_commands(as_floats([value] * 640), 512), "infer 1 0")[-1]
    exact = struct.unpack("<f", struct.pack("<f", value))[0]
    got = float(answer.rpartition("m-results-[")[2].rstrip("]\r\n"))
    assert got == pytest.approx(mean_squared_error([exact]), rel=1e-4, abs=6e-4) or (abs(value) > 1e20 and got > 1e38)


def test_infinities_and_not_a_number_do_no_harm(ad: HostHarness) -> None:
    answer = ad.answers(*load_commands(as_floats([float("nan"), float("inf"), float("-inf")] + [0.0] * 637), 512), "infer 1 0")[-1]
    assert "nan" in answer.rpartition("m-results-[")[2]


def test_bytes_that_were_sent_come_back_from_db_print(kws: HostHarness) -> None:
    answer = kws.answers("db load 10", "db 00010203040506AAbbFF", "db print")[-1]
    assert answer == "m-buffer-00-01-02-03-04-05-06-aa\r\nm-buffer-bb-ff\r\n\r\n"


def test_loading_says_when_it_is_done_and_ignores_the_rest_of_the_line(kws: HostHarness) -> None:
    assert kws.answers("db load 2", "db 01", "db 020304", "db print") == [
        "m-[Expecting 2 bytes]\r\n",
        "",
        "m-load-done\r\n",
        "m-buffer-01-02\r\n\r\n",
    ]


def test_a_line_of_512_bytes_is_taken_whole(ad: HostHarness) -> None:
    data = bytes(i % 251 for i in range(512))
    answers = ad.answers("db load 512", f"db {data.hex()}", "db print")
    assert answers[1] == "m-load-done\r\n"
    assert bytes.fromhex(answers[2].replace("m-buffer-", "").replace("-", "").replace("\r\n", "")) == data


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("foo", "e-['foo' is not a command]"),
        ("", "e-['' is not a command]"),
        ("   ", "e-['' is not a command]"),
        ("nam", "e-['nam' is not a command]"),
        ("names", "e-['names' is not a command]"),
        ("foo\x1bbar\x7f", "e-['foo?bar?' is not a command]"),
        ("f" * 100, f"e-['{'f' * 80}' is not a command]"),
        ("db", "e-[db: 'load', 'print' or data missing]"),
        ("db load", "e-[db load: the number of bytes is missing]"),
        ("db load 0", "e-[db load: N must be a number above 0]"),
        ("db load x", "e-[db load: N must be a number above 0]"),
        ("db load -4", "e-[db load: N must be a number above 0]"),
        ("db load 491", "e-[db load: 491 bytes, but the input has only 490]"),
        ("db load 99999999999999", "e-[db load: 2147483647 bytes, but the input has only 490]"),
        ("db 00", "e-[db: more bytes than announced, begin again with 'db load N']"),
        ("db 123", "e-[db: the last byte has one digit]"),
        ("db 1g", "e-[db: '1g' is not a byte]"),
        ("infer 0", "e-[infer: N must be a number above 0]"),
        ("infer -1", "e-[infer: N must be a number above 0]"),
        ("infer 1 -1", "e-[infer: W must not be negative]"),
        ("infer 1 0", "e-[infer: 0 of 490 bytes of input are loaded]"),
        ("results", "e-[No inference has been run]"),
        ("x" * 1041, "e-[Command longer than 1040 characters, ignored]"),
        ("x" * 100_000, "e-[Command longer than 1040 characters, ignored]"),
        ("na\x01me", "e-[Receiver overrun, command ignored]"),
    ],
)
def test_a_wrong_command_is_answered_with_one_error_and_the_next_one_works(kws: HostHarness, command: str, error: str) -> None:
    assert kws.answers(command, "name") == [f"{error}\r\n", "m-name-dut-[cm4tiny]\r\n"]


def test_an_incomplete_input_is_not_inferred(kws: HostHarness) -> None:
    assert kws.answers("db load 490", "db 0102", "infer 1 0")[-1] == "e-[infer: 2 of 490 bytes of input are loaded]\r\n"


def test_a_damaged_line_leaves_the_buffer_as_it_was_so_that_it_can_be_sent_again(kws: HostHarness) -> None:
    answers = kws.answers("db load 4", "db 0102", "db 03g4", "db 0304", "db print")
    assert answers[2:] == ["e-[db: 'g4' is not a byte]\r\n", "m-load-done\r\n", "m-buffer-01-02-03-04\r\n\r\n"]


def test_more_bytes_than_announced_are_refused(kws: HostHarness) -> None:
    answer = kws.answers("db load 2", "db 0102", "db 03")[-1]
    assert answer == "e-[db: more bytes than announced, begin again with 'db load N']\r\n"


def test_line_ends_of_a_terminal_are_ignored(kws: HostHarness) -> None:
    assert kws.answers("\r\nname", "na\r\nme\n") == ["m-name-dut-[cm4tiny]\r\n"] * 2


def test_help_names_every_command(kws: HostHarness) -> None:
    (answer,) = kws.answers("help")
    for command in (
        "help",
        "name",
        "profile",
        "timestamp",
        "db load N",
        "db XX",
        "db print",
        "db crc",
        "infer N [W=10]",
        "results",
        "check",
        "reset",
    ):
        assert command in answer


def test_reset_restarts_the_board(kws: HostHarness) -> None:
    assert kws.talk(b"reset%name%").endswith("m-ready\r\n<reset>")


def test_a_stack_overflow_is_reported_instead_of_results(kws: HostHarness) -> None:
    said = kws.talk("".join(f"{c}%" for c in [*load_commands(INPUT), "infer 1 0"]).encode(), CM4TINY_HOST_STACK="broken")
    assert said.endswith("m-infer-done\r\ne-[Stack overflow]\r\nm-ready\r\n")


COMMANDS = (b"db ", b"load ", b"print", b"infer ", b"results", b"name", b"profile", b"timestamp")
WORDS = st.sampled_from([*COMMANDS, b"%", b" ", b"00", b"ff", b"7", b"490", b"-", b"\x01"])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(WORDS, st.binary(max_size=40)), max_size=60).map(b"".join))
def test_no_input_crashes_the_harness_and_every_command_ends_with_ready(kws: HostHarness, noise: bytes) -> None:
    if b"infer" in noise:  # keep random iteration counts out of the test's run time
        noise = noise.replace(b"infer 7", b"infer 1 1%")
    said = kws.talk(noise + b"%name%")
    assert said.endswith("m-name-dut-[cm4tiny]\r\nm-ready\r\n") or b"reset" in noise
    assert said.count("m-ready\r\n") == noise.count(b"%") + 3 or b"reset" in noise
