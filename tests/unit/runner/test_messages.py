# SPDX-License-Identifier: Apache-2.0
"""What a device says, sound and hostile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.runner import messages as m


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"m-ready\r", m.Ready("m-ready")),
        (b"m-lap-us-325328299\r", m.LapUs("m-lap-us-325328299", 325328299)),
        (b"m-lap-us-1690000000000000", m.LapUs("m-lap-us-1690000000000000", 1690000000000000)),
        (b"m-name-dut-[STMicroelectronics]", m.Name("m-name-dut-[STMicroelectronics]", "STMicroelectronics")),
        (
            b"m-profile-[ULPMark for tinyML Firmware V0.0.1]",
            m.ProfileMessage("m-profile-[ULPMark for tinyML Firmware V0.0.1]", "ULPMark for tinyML Firmware V0.0.1"),
        ),
        (b"m-model-[kws01]", m.ModelMessage("m-model-[kws01]", "kws01")),
        (b"m-init-done", m.InitDone("m-init-done")),
        (b"m-timestamp-mode-energy", m.TimestampMode("m-timestamp-mode-energy", "energy")),
        (b"m-[Expecting 490 bytes]", m.Expecting("m-[Expecting 490 bytes]", 490)),
        (b"m-load-done", m.LoadDone("m-load-done")),
        (b"m-buffer-00-ff-7A-", m.Buffer("m-buffer-00-ff-7A-", b"\x00\xffz")),
        (b"m-warmup-start-10", m.Warmup("m-warmup-start-10", 10)),
        (b"m-warmup-done", m.Warmup("m-warmup-done", None)),
        (b"m-infer-start-100", m.Infer("m-infer-start-100", 100)),
        (b"m-infer-done", m.Infer("m-infer-done", None)),
        (b"e-[Unknown command: x]", m.Error("e-[Unknown command: x]", "Unknown command: x")),
        (b"e-[cut off", m.Error("e-[cut off", "cut off")),
        (b"m-results-[0.015,-14.2,127]", m.Results("m-results-[0.015,-14.2,127]", (0.015, -14.2, 127.0))),
        (b"m-results-[1.5, 2,]", m.Results("m-results-[1.5, 2,]", (1.5, 2.0))),
        (b"help         : Print this information", m.Text("help         : Print this information")),
        (b"", m.Text("")),
    ],
)
def test_every_message_of_the_protocol_is_understood(line: bytes, expected: m.DutMessage) -> None:
    assert m.parse_messages(line)[0] == expected


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"timestampm-lap-us-604250223", m.LapUs),
        (b"infer 1 0%m-warmup-start-0", m.Warmup),
        (b"Type errorm-results-[141.176]", m.Results),
        (b"\rm-lap-us-12", m.LapUs),
        (b"src_mem_size: 3072m-warmup-start-0", m.Warmup),
        (b"\x00\x00m-ready\x00", m.Ready),
        (b"\xff\xfem-ready", m.Ready),
    ],
)
def test_a_token_with_something_glued_to_its_front_is_found(line: bytes, kind: type[m.DutMessage]) -> None:
    assert isinstance(m.parse_messages(line)[0], kind)


def test_the_first_token_of_a_line_decides() -> None:
    assert m.parse_messages(b"m-name-dut-[m-ready]")[0] == m.Name("m-name-dut-[m-ready]", "m-ready")


@pytest.mark.parametrize(
    "line",
    [
        b"m-results-[]",
        b"m-results-[nan]",
        b"m-results-[0.1,inf]",
        b"m-results-[1e999]",
        b"m-results-[0.1,,0.2]",
        b"m-results-[1_0]",
        b"m-results-[0x10]",
        b"m-results-0.5",
        b"m-results-[0.5",
        b"m-lap-us-99999999999999999999999999",
        b"m-[Expecting 99999999999999 bytes]",
        b"m-results-[" + b"1," * 5000 + b"1]",
    ],
)
def test_nonsense_in_a_message_is_malformed_and_not_a_result(line: bytes) -> None:
    assert isinstance(m.parse_messages(line)[0], m.Malformed)


def test_bytes_that_are_no_text_are_shown_and_not_decoded() -> None:
    assert m.clean(b"a\x80\xffb\x1b[32m\x00\r") == "a\\x80\\xffb\\x1b[32m"


@given(st.binary(max_size=400))
def test_no_bytes_can_make_the_parser_fail(raw: bytes) -> None:
    message = m.parse_messages(raw)[0]
    assert isinstance(message, m.DutMessage)
    assert message.line.isprintable() or "\t" in message.line
    assert 0.0 <= m.noise(raw) <= 1.0


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=20), st.text("abc m-", max_size=9))
def test_printed_results_come_back_as_they_were(values: list[float], prefix: str) -> None:
    message = m.parse_messages(prefix + "m-results-[" + ",".join(repr(v) for v in values) + "]")[0]
    assert isinstance(message, m.Results)
    assert message.values == tuple(values)


@given(st.text(st.characters(max_codepoint=0x7F), max_size=60).map(lambda t: "m-" + t))
def test_almost_messages_never_fail_either(line: str) -> None:
    m.parse_messages(line.encode())


def test_text_is_not_noise_and_noise_is_not_text() -> None:
    assert m.noise(b"m-name-dut-[x]\r\nm-ready\r\n") == 0.0
    assert m.noise(bytes(range(128, 200))) == 1.0
    assert m.noise(b"") == 0.0


@pytest.mark.parametrize(
    ("byte", "noisy"), [(0, 1), (9, 0), (10, 0), (13, 0), (0x1F, 1), (0x20, 0), (0x7E, 0), (0x7F, 1), (0x80, 1), (255, 1)]
)
def test_noise_is_what_no_text_holds(byte: int, noisy: int) -> None:
    assert m.noise(bytes([byte])) == noisy
    assert m.noise(bytes([byte]) + b"abc") == noisy / 4
