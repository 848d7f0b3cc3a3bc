# SPDX-License-Identifier: Apache-2.0
"""The device under test: commands, verified loads, deadlines, faults."""

import math
import threading
from dataclasses import replace

import pytest
from fake_dut import FakeDut, Faults

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.deadline import Deadline
from cm4tiny.errors import Cm4TinyError, DeadlineError, DeviceResetError, InterruptedRunError, LinkError, ProtocolError
from cm4tiny.events import Event, EventStream, Message
from cm4tiny.runner import Dut, Identity, command_channel

INPUT = bytes(range(256)) + bytes(234)


def hints(error: pytest.ExceptionInfo[Cm4TinyError]) -> str:
    assert error.value.what and error.value.hint
    return str(error.value)


def test_a_device_tells_name_profile_and_model() -> None:
    dut = Dut(FakeDut())
    assert dut.connect() == Identity("fake", "ULPMark for tinyML Firmware V0.0.1", "kws01")
    assert (dut.name(), dut.model()) == ("fake", "kws01")
    assert dut.profile() == "ULPMark for tinyML Firmware V0.0.1"


def test_a_device_that_is_just_starting_is_heard_out() -> None:
    dut = Dut(FakeDut(running=False, energy=True))
    assert dut.timestamp_mode is None
    dut.connect()
    assert dut.timestamp_mode == "energy"


def test_a_load_arrives_as_it_was_and_in_chunks_of_31_bytes() -> None:
    fake = FakeDut()
    Dut(fake).load(INPUT)
    assert fake.loads == [INPUT]
    chunks = [c for c in fake.commands if c.startswith("db ") and not c.startswith(("db load", "db print"))]
    assert len(chunks) == 16
    assert max(len(c) for c in chunks) == len("db ") + 62


def test_a_device_that_tells_a_larger_command_buffer_gets_longer_lines() -> None:
    fake = FakeDut(own=True)
    dut = Dut(fake)
    dut.load(INPUT)
    assert fake.loads == [INPUT] and dut.load_proof == "crc"
    assert [c for c in fake.commands if c.startswith("db ")] == ["db load 490", f"db {INPUT.hex()}", "db crc"]


def test_long_lines_that_get_lost_are_given_up() -> None:
    fake = FakeDut(own=True)
    fake._disturbed = lambda data: data[:200] if len(data) > 300 else data  # type: ignore[method-assign]
    dut = Dut(fake)
    dut.load(INPUT)
    assert fake.loads == [INPUT] and dut.statistics.load_restarts == 1


@pytest.mark.parametrize("own", [True, False])
def test_the_caller_may_limit_the_lines(own: bool) -> None:
    fake = FakeDut(own=own)
    Dut(fake, chunk_bytes=10).load(INPUT)
    assert max(len(c) for c in fake.commands if c.startswith("db ")) == len("db ") + 20


@pytest.mark.parametrize("fault", ["damage_every", "drop_every", "shorten_every"])
def test_a_damaged_chunk_makes_the_load_start_again(fault: str) -> None:
    fake = FakeDut(faults=Faults(**{fault: 30}))
    heard: list[Event] = []
    dut = Dut(fake, events=EventStream(heard.append))
    for _ in range(3):
        dut.load(INPUT)
    assert set(fake.loads) == {INPUT}
    assert dut.statistics.load_restarts == sum(isinstance(e, Message) for e in heard) > 0
    assert dut.statistics.loads == 3


@pytest.mark.parametrize(("own", "proof"), [(True, "crc"), (False, "print")])
def test_a_changed_digit_is_always_found(own: bool, proof: str) -> None:
    fake = FakeDut(own=own, faults=Faults(flip_every=30))
    dut = Dut(fake, chunk_bytes=31)
    for _ in range(4):
        dut.load(INPUT)
        assert fake.loads[-1] == INPUT
    assert any(load != INPUT for load in fake.loads)
    assert dut.load_proof == proof


def test_a_device_that_cannot_prove_a_load_is_used_and_says_so() -> None:
    fake = FakeDut()
    answer = fake._db
    fake._db = lambda words: fake.say("e-[no such thing]") if words == ["print"] else answer(words)  # type: ignore[method-assign]
    dut = Dut(fake)
    dut.load(INPUT)
    assert dut.load_proof == "none"


def test_a_line_that_damages_every_load_is_given_up() -> None:
    dut = Dut(FakeDut(faults=Faults(damage_every=5)))
    with pytest.raises(ProtocolError, match="4 attempts to load 490 bytes failed") as error:
        dut.load(INPUT)
    assert "baud" in hints(error)
    assert dut.statistics.load_restarts == 3


def test_an_input_larger_than_the_buffer_is_refused_at_once() -> None:
    fake = FakeDut()
    with pytest.raises(ProtocolError, match="buffer is smaller"):
        Dut(fake).load(bytes(30000))
    assert sum(c.startswith("db load") for c in fake.commands) <= 4


def test_an_inference_returns_laps_and_results() -> None:
    dut = Dut(FakeDut(inference_s=0.02))
    dut.load(bytes([3]) + bytes(489))
    inference = dut.infer(10, 2)
    assert inference.elapsed_us == 200000
    assert len(inference.results) == 12
    assert (inference.iterations, inference.warmups) == (10, 2)
    assert dut.results() == inference.results


def test_an_energy_image_prints_no_laps() -> None:
    dut = Dut(FakeDut(energy=True))
    dut.load(INPUT)
    assert dut.infer(1).elapsed_us is None
    assert dut.timestamp() is None


def test_a_32_bit_clock_may_wrap_during_an_inference() -> None:
    fake = FakeDut(inference_s=1.0, start_us=2**32 - 3_000_000)
    dut = Dut(fake)
    dut.load(INPUT)
    assert dut.infer(5).elapsed_us == 5_000_000


def test_a_silent_device_costs_a_deadline_and_the_error_names_hints() -> None:
    fake = FakeDut(faults=Faults(silent_after=0))
    with pytest.raises(DeadlineError) as error:
        Dut(fake).connect()
    text = hints(error)
    assert "name" in text and "received nothing" in text
    assert all(word in text for word in ("baud", "port", "TX and RX", "image"))
    assert fake.now < 15


def test_a_device_that_falls_silent_during_inference_costs_a_scaled_deadline() -> None:
    fake = FakeDut(inference_s=0.1)
    dut = Dut(fake)
    dut.load(INPUT)
    dut.infer(1)
    fake.faults.silent_after = len(fake.commands)
    began = fake.now
    with pytest.raises(DeadlineError, match="infer 100 0"):
        dut.infer(100)
    assert 15 + 5 <= fake.now - began < 21


def test_a_slow_device_is_waited_for() -> None:
    dut = Dut(FakeDut(inference_s=40.0))
    dut.load(INPUT)
    assert dut.infer(1).elapsed_us == 40_000_000
    assert dut.infer(20).elapsed_us == 800_000_000


def test_noise_names_the_baud_rate() -> None:
    with pytest.raises(ProtocolError, match="noise") as error:
        Dut(FakeDut(faults=Faults(noise=True))).connect()
    assert "baud" in hints(error)


def test_a_few_bytes_of_noise_name_the_baud_rate_too() -> None:
    fake = FakeDut(faults=Faults(silent_after=0))
    fake.faults.before = lambda count, command: fake._out.extend(b"\x80\xfe\x00\n\xe0x")
    with pytest.raises(ProtocolError, match="noise instead of an answer to 'name'") as error:
        Dut(fake).connect()
    assert "baud" in hints(error)


def test_a_line_without_an_end_is_not_waited_for() -> None:
    fake = FakeDut(faults=Faults(endless_line=True, silent_after=0))
    with pytest.raises(ProtocolError, match="without the end of a line") as error:
        Dut(fake).connect()
    assert "baud" in hints(error)


def test_an_answer_without_an_end_is_not_waited_for_even_if_time_stands_still() -> None:
    fake = FakeDut()
    dut = Dut(fake)
    dut.connect()
    fake.faults.endless_lines = True
    fake.faults.silent_after = len(fake.commands)
    with pytest.raises(ProtocolError, match="does not stop sending"):
        dut.results()
    assert len(fake.commands) < 20


def test_a_restart_in_the_middle_is_told_apart() -> None:
    fake = FakeDut()
    dut = Dut(fake)
    dut.load(INPUT)
    fake.faults.reset_at = len(fake.commands) + 1
    with pytest.raises(DeviceResetError, match="restarted during 'infer 1 0'") as error:
        dut.infer(1)
    assert "supply" in hints(error)


def test_a_restart_while_loading_is_not_mistaken_for_damage() -> None:
    fake = FakeDut()
    dut = Dut(fake)
    dut.load(INPUT)
    fake.faults.reset_at = len(fake.commands) + 7
    with pytest.raises(DeviceResetError, match="restarted during 'db "):
        dut.load(INPUT)


def test_a_disconnected_device_is_a_link_error() -> None:
    with pytest.raises(LinkError):
        Dut(FakeDut(faults=Faults(disconnect_at=5))).load(INPUT)


def test_another_model_is_refused_with_both_names() -> None:
    dut = Dut(FakeDut(benchmark=get_benchmark("ic")))
    with pytest.raises(ProtocolError, match="runs 'ic01', but 'kws01' was asked for") as error:
        dut.expect_model("kws01")
    assert "flash" in hints(error)


@pytest.mark.parametrize("running", [True, False])
def test_an_energy_image_is_refused_in_a_performance_run(running: bool) -> None:
    dut = Dut(FakeDut(energy=True, running=running))
    with pytest.raises(ProtocolError, match="image for energy runs") as error:
        dut.expect_mode("performance")
    assert "EE_CFG_ENERGY_MODE=0" in hints(error)


def test_a_performance_image_is_refused_in_an_energy_run() -> None:
    dut = Dut(FakeDut(running=False))
    with pytest.raises(ProtocolError, match="image for performance runs") as error:
        dut.expect_mode("energy")
    assert "EE_CFG_ENERGY_MODE=1" in hints(error)


def test_fitting_images_are_accepted() -> None:
    Dut(FakeDut(running=False)).expect_mode("performance")
    Dut(FakeDut()).expect_mode("performance")
    Dut(FakeDut(energy=True)).expect_mode("energy")


def test_an_error_of_the_device_is_passed_on() -> None:
    fake = FakeDut()
    dut = Dut(fake)
    dut.load(INPUT)
    with pytest.raises(ProtocolError, match=r"refused 'infer 1 0': e-\[Unknown"):
        fake._infer = lambda n, w: fake.say("e-[Unknown]")  # type: ignore[method-assign]
        dut.infer(1)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["m-results-[0.1,0.x]"], "malformed"),
        ([], "without results"),
        (["m-lap-us-1", "m-results-[1]"], "1 time stamps instead of two"),
        (["m-infer-start-7", "m-results-[1]"], "ran 7 inferences instead of 1"),
    ],
)
def test_answers_that_the_protocol_does_not_allow_are_refused(lines: list[str], text: str) -> None:
    fake = FakeDut()
    dut = Dut(fake)
    dut.load(INPUT)
    fake._infer = lambda n, w: [fake.say(line) for line in lines]  # type: ignore[method-assign]
    with pytest.raises(ProtocolError, match=text):
        dut.infer(1)


def test_something_that_is_no_benchmark_device_is_told_apart() -> None:
    fake = FakeDut()
    fake._answer = lambda words: fake.say("OK")  # type: ignore[method-assign]
    with pytest.raises(ProtocolError, match="does not report its name") as error:
        Dut(fake).connect()
    assert "another port" in hints(error)


def test_a_device_without_a_model_is_told_apart() -> None:
    fake = FakeDut()
    fake._answer = lambda words: fake.say("m-name-dut-[x]" if words == ["name"] else "?")  # type: ignore[method-assign]
    with pytest.raises(ProtocolError, match="profile and model"):
        Dut(fake).connect()


def test_half_a_command_left_in_the_device_does_no_harm() -> None:
    fake = FakeDut()
    fake.write(b"db 00112")
    assert Dut(fake).connect().name == "fake"


def test_an_old_answer_left_in_the_link_does_no_harm() -> None:
    fake = FakeDut()
    fake.write(b"timestamp%profile%")
    dut = Dut(fake)
    dut.load(INPUT)
    assert fake.loads == [INPUT]


def test_a_stop_is_heard_between_two_reads() -> None:
    stop = threading.Event()
    fake = FakeDut(inference_s=1.0)
    dut = Dut(fake, stop=stop)
    dut.load(INPUT)
    stop.set()
    with pytest.raises(InterruptedRunError):
        dut.infer(1)


def test_a_chunk_has_at_least_one_byte() -> None:
    with pytest.raises(ValueError, match="positive"):
        Dut(FakeDut(), chunk_bytes=0)


def test_a_clock_of_whole_ticks_reaches_every_deadline() -> None:
    fake = FakeDut(faults=Faults(silent_after=1))
    seconds = fake.read

    def whole_ticks(deadline: Deadline) -> bytes:
        """Like a virtual board: waits for whole cycles only, and never past the deadline."""
        before = fake.now
        data = seconds(deadline)
        fake.now = before + math.floor((fake.now - before) / 0.0007) * 0.0007
        return data

    fake.read = whole_ticks  # type: ignore[method-assign]
    with pytest.raises(DeadlineError):
        Dut(fake).profile()


def test_what_arrives_between_two_commands_is_discarded_counted_and_reported() -> None:
    fake = FakeDut(own=True)
    heard: list[Event] = []
    dut = Dut(fake, events=EventStream(heard.append))
    dut.load(INPUT)
    right = dut.infer(1).results
    fake.say("m-results-[1.0,0,0,0,0,0,0,0,0,0,0,0]")
    fake.say("m-ready")
    assert dut.results() == right
    assert dut.statistics.discarded > 30 and dut.statistics.repeats == 1
    assert any("spoke before 'results' was sent" in e.text for e in heard if isinstance(e, Message))


def test_a_meter_counts_the_infer_command_alone_and_without_one_nothing_is_counted() -> None:
    fake, counted = FakeDut(), [100, 350]
    dut = Dut(fake)
    dut.load(INPUT)
    dut.infer(2)
    assert dut.metered == 0
    dut.meter = lambda: counted.pop(0)
    dut.infer(2)
    assert dut.metered == 250 and counted == []


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_device_that_never_tells_its_name_is_asked_as_often_as_the_policy_says(monkeypatch: pytest.MonkeyPatch, attempts: int) -> None:
    fake = FakeDut()
    dut = Dut(fake)
    dut.connect()
    monkeypatch.setattr(command_channel, "POLICY", replace(command_channel.POLICY, resyncs=attempts))
    asked: list[str] = []
    before = dut.statistics.resyncs

    def silent(command: str) -> None:
        asked.append(command)
        fake.say("m-ready")

    monkeypatch.setattr(fake, "_run", silent)
    with pytest.raises(ProtocolError, match="does not report its name"):
        dut._conversation.resync(1.0)
    assert (asked, dut.statistics.resyncs - before) == (["name"] * attempts, 1)
