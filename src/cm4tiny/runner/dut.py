# SPDX-License-Identifier: Apache-2.0
"""A device under test as the runner sees it: the commands of the MLPerf Tiny protocol as methods.

Commands, answers and the command buffer of 80 characters are those of the reference API (``mlcommons/tiny``:
``benchmark/api/internally_implemented.cpp``); which commands are sent is what the official runner sends
(``benchmark/runner/device_under_test.py``). Unlike it, this one believes nothing that it read once: a load is proved, an answer is compared
with its checksum or read twice, a time is compared with the link's clock, and every deadline scales with the device that is measured.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cm4tiny.errors import Cm4TinyError, DeviceResetError, ProtocolError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.runner.command_channel import BOOT_S, HINT_DAMAGE, Answer, CommandChannel
from cm4tiny.runner.loading import Loader, chunk_bytes_for
from cm4tiny.runner.messages import CheckMessage, Error, Infer, LapUs, ModelMessage, Name, ProfileMessage, Results, Warmup
from cm4tiny.runner.retry import DAMAGE, POLICY
from cm4tiny.runner.witness import WRAP_US, Timing, elapsed_us

if TYPE_CHECKING:
    from cm4tiny.boards import Link

COMMAND_S = 5.0
NAME_S = 2.0
FIRST_INFERENCE_S = 60.0
"""How long one inference of an unknown device may take; the slowest published on a microcontroller takes a few seconds."""
COARSEST_US = 10_000
"""Steps of a device's clock that are told from chance: its stamps are multiples of 1 ms or of 10 ms."""

T = TypeVar("T")


@dataclass(frozen=True)
class Identity:
    """What a device says about itself."""

    name: str
    profile: str
    model_id: str

    @property
    def model(self) -> str:
        """The model id, by the name of the device's own message (``m-model-[...]``)."""
        return self.model_id


@dataclass(frozen=True)
class Inference:
    """The outcome of one ``infer`` command.

    Attributes:
        iterations: measured inferences.
        warmups: inferences before them.
        lap_us: the two time stamps around the measured inferences as printed, or None from an energy image.
        results: the numbers of the last inference.
        took_s: seconds from the command to its ``m-ready``, by the link's clock.
        between_s: seconds from ``m-infer-start-N`` to ``m-infer-done``, by the link's clock: the witness of an energy image, which prints
            no time stamps. None where these messages are missing.
    """

    iterations: int
    warmups: int
    lap_us: tuple[int, int] | None
    results: tuple[float, ...]
    took_s: float = 0.0
    between_s: float | None = None

    @property
    def elapsed_us(self) -> int | None:
        """Microseconds between the two time stamps, over a wrap of a 32-bit clock; None without time stamps."""
        if self.lap_us is None:
            return None
        start, stop = self.lap_us
        return stop - start if stop >= start else stop + WRAP_US - start


@dataclass
class DutStatistics:
    """What went wrong and was put right on the way.

    Attributes:
        commands: questions that were asked.
        loads, load_restarts: inputs, and how often one was sent again.
        resyncs: searches for a common starting point.
        discarded: bytes that belonged to no question.
        repeats: questions that were asked again.
    """

    commands: int = 0
    loads: int = 0
    load_restarts: int = 0
    resyncs: int = 0
    discarded: int = 0
    repeats: int = 0


class Dut:
    """A device under test behind a link.

    Args:
        link: the byte stream to it; its clock measures every deadline and is the witness of every time.
        chunk_bytes: most data bytes in one ``db`` line; None: as many as the device reports and proves.
        stop: when set, the next wait raises :class:`InterruptedRunError`.
        events: receives a warning for everything that is repeated.

    Attributes:
        on_wait: called now and then while the device is silent.
        meter: a counter of the board, read right before and after the ``infer`` command.
        metered: what it counted for the last one.
    """

    def __init__(
        self,
        link: Link,
        *,
        chunk_bytes: int | None = None,
        first_inference_s: float = FIRST_INFERENCE_S,
        stop: threading.Event | None = None,
        events: EventStream = SILENT,
    ) -> None:
        if chunk_bytes is not None and chunk_bytes < 1:
            raise ValueError("chunk_bytes must be positive")
        self.link = link
        self.stop = stop
        self.on_wait: Callable[[], None] | None = None
        self.meter: Callable[[], int] | None = None
        self.metered = 0
        self._conversation = CommandChannel(link, stop, self._waiting)
        self._loader = Loader(self._ask, COMMAND_S)
        self._most_bytes = chunk_bytes
        self._first_inference_s = first_inference_s
        self._inference_s: float | None = None
        self._identity: Identity | None = None
        self._checks: bool | None = None  # whether it knows `check`; None: not asked yet
        self._reads_results = True  # whether it knows `results`, and repeats them
        self._odd_results: tuple[float, ...] | None = None  # results that no second reading confirmed
        self._step_us = 0  # greatest common divisor of all time stamps
        self._busy_s = 0.0  # how long the device may still be at work on what it was asked last
        self._exact = bool(getattr(link, "exact_clock", False))
        self._events = events
        self._counts = DutStatistics()
        if chunk_bytes is not None:
            self._loader.chunk_bytes = min(chunk_bytes, self._loader.chunk_bytes)

    def _waiting(self) -> None:
        if self.on_wait is not None:
            self.on_wait()

    @property
    def statistics(self) -> DutStatistics:
        """Counters so far; anything but ``commands`` and ``loads`` above a few means a link that loses bytes."""
        counts, talk = self._counts, self._conversation
        return DutStatistics(counts.commands, counts.loads, counts.load_restarts, talk.resyncs, talk.discarded, counts.repeats)

    @property
    def timestamp_mode(self) -> str | None:
        """``"performance"``, ``"energy"``, or None when the device was running before and did not say."""
        return self._conversation.timestamp_mode

    @property
    def load_proof(self) -> str:
        """How loads are proved: ``"crc"``, ``"print"``, ``"none"`` (the device can do neither), or ``""`` before the first load."""
        return self._loader.proof

    @property
    def answer_proof(self) -> str:
        """How the answers to ``infer`` are proved: ``"crc"``, ``"read twice"``, or ``"none"`` if it does not repeat its results."""
        if self.knows_check():
            return "crc"
        return "read twice" if self._reads_results else "none"

    @property
    def confirms(self) -> bool:
        """Whether each answer to ``infer`` is given twice or comes with its checksum."""
        return self.answer_proof != "none"

    @property
    def clock_is_exact(self) -> bool:
        """Whether the link's clock is that of the emulated core itself."""
        return self._exact

    @property
    def exact(self) -> bool:
        """Whether every number of an answer is proved, or measured again on a clock that is exact."""
        return self._exact or self.knows_check()

    # --- who are you ----------------------------------------------------------------------------------------------------------
    def connect(self, *, boot_s: float = BOOT_S) -> Identity:
        """Waits for the start-up messages, finds a starting point, asks twice for name, profile and model. Later calls are free."""
        if self._identity is None:
            self._conversation.listen(boot_s)
            self._refuse_failed_setup()
            try:
                self._conversation.resync(NAME_S)
            except DeviceResetError:  # it took longer to start than was waited
                self._conversation.listen(boot_s)
                self._refuse_failed_setup()
                self._conversation.resync(NAME_S)
            name = self._twice("name", lambda answer: answer.one(Name))
            profile, model = self._twice("profile", lambda answer: (answer.one(ProfileMessage), answer.one(ModelMessage)))
            if name is None or profile is None or model is None:
                raise ProtocolError(
                    "the device does not report its name" if name is None else "the device does not report its profile and model",
                    why="awaited 'm-name-dut-[...]', 'm-profile-[...]' and 'm-model-[...]'",
                    hint="flash a benchmark image",
                )
            self._identity = Identity(name.vendor, profile.profile, model.model_id)
        return self._identity

    def _refuse_failed_setup(self) -> None:
        if self._conversation.boot_error:
            raise ProtocolError(
                "the image on the device cannot run its model",
                why=f"it said at start-up: {self._conversation.boot_error}",
                hint="build the image again; for TensorFlow Lite Micro with an arena that is large enough for the model",
            )

    def name(self) -> str:
        """The vendor in ``m-name-dut-[vendor]``."""
        return self.connect().name

    def profile(self) -> str:
        """The text in ``m-profile-[...]``."""
        return self.connect().profile

    def model(self) -> str:
        """The model id in ``m-model-[kws01]``."""
        return self.connect().model_id

    def expect_model(self, model_id: str) -> Identity:
        """Connects and makes sure that the image on the device is that of ``model_id``; else :class:`ProtocolError`."""
        identity = self.connect()
        if identity.model_id != model_id:
            raise ProtocolError(
                f"the device runs '{identity.model_id}', but '{model_id}' was asked for",
                why=f"it answers 'profile' with m-model-[{identity.model_id}]",
                hint=f"flash the image of {model_id}, or run the benchmark of {identity.model_id}",
            )
        return identity

    def expect_mode(self, mode: str) -> None:
        """Makes sure that the image prints time stamps (``"performance"``) or signals them on a pin (``"energy"``): by what it does."""
        self.connect()
        stamps = self._twice("timestamp", lambda answer: len(answer.all(LapUs)))
        found = "performance" if stamps else "energy"
        if found != mode:
            raise ProtocolError(
                f"the device runs an image for {found} runs, but the {mode} image is needed",
                why=f"it answers 'timestamp' {'with' if stamps else 'without'} m-lap-us",
                hint=f"build and flash the {mode} image (EE_CFG_ENERGY_MODE={1 if mode == 'energy' else 0})",
            )

    def timestamp(self) -> int | None:
        """The device's clock in microseconds, or None from an energy image."""
        lap = self._exchange("timestamp", lambda answer: answer.one(LapUs))
        return None if lap is None else lap.us

    def results(self) -> tuple[float, ...]:
        """The numbers of the last inference."""
        return self._exchange("results", self._results)

    def knows_check(self) -> bool:
        """Whether the device reports the checksum of its answers (``docs/firmware.md``, "Extensions"). Asked once.

        An error counts only when it comes twice, because a damaged question gets one as well.
        """
        if self._checks is None:
            self.connect()
            refusals = 0
            for _ in range(POLICY.exchanges):
                try:
                    before = self._conversation.ask("name", NAME_S, settle=True).check()
                    answer = self._ask("check", NAME_S)
                    told = answer.one(CheckMessage)
                    if told is not None and told.crc == before.crc:
                        answer.check()
                        self._checks = self._loader.has_crc = True
                        self._loader.chunk_bytes = chunk_bytes_for(told.command_size)
                        if self._most_bytes is not None:
                            self._loader.chunk_bytes = min(self._loader.chunk_bytes, self._most_bytes)
                        return True
                    refusals += answer.one(Error) is not None
                    if refusals == 2:
                        break
                except DAMAGE:
                    self.recover()
            self._checks = False
        return self._checks

    # --- load -----------------------------------------------------------------------------------------------------------------
    def load(self, data: bytes) -> None:
        """Sends one input to the device's buffer and proves that it arrived (:attr:`load_proof`).

        A damaged load (an error instead of an answer, too few or too many bytes, other bytes, silence) starts again, by the retry policy.

        Raises:
            ProtocolError: still damaged, or the device's buffer is too small.
            DeadlineError: the device does not answer at all.
        """
        self.knows_check()
        self._counts.loads += 1
        try:
            POLICY.run(POLICY.loads, lambda: self._loader.load(data), self.recover, self._note_load)
        except DAMAGE as damage:
            if "buffer is smaller" in damage.what:
                raise
            raise ProtocolError(
                f"{POLICY.loads} attempts to load {len(data)} bytes failed",
                why=f"the last one: {damage.what}",
                hint="the link loses bytes: use a lower baud rate, a shorter cable, or another USB port",
            ) from None

    def _note_load(self, damage: Cm4TinyError) -> None:
        self._counts.load_restarts += 1
        self._loader.distrust()
        self._events.message(self.link.name, f"load retried after: {damage.what}", "warning")

    # --- infer ----------------------------------------------------------------------------------------------------------------
    def infer(self, n: int, warmup: int = 0, *, prove: bool = True) -> Inference:
        """Runs ``warmup`` unmeasured and ``n`` measured inferences on the loaded input.

        The deadline is 1.5 times what the inferences should take by the longest one seen, and 5 s; before the first one it is
        ``first_inference_s`` each.

        Args:
            prove: wait for silence first and have the answer proved by further questions; False where a caller counts what the board does
                meanwhile.

        Raises:
            ProtocolError: no results or several, an odd number of time stamps, or counts other than asked for.
            WitnessError: the time between the stamps is not what the link's clock says.
            DeadlineError, DeviceResetError, LinkError, InterruptedRunError: as in :meth:`CommandChannel.ask`.
        """
        self.connect()
        if prove:
            self.knows_check()
        total = n + warmup
        each = self._inference_s
        seconds = self._first_inference_s * total if each is None else total * each * 1.5 + COMMAND_S
        self._busy_s = seconds
        before = self.meter() if self.meter else 0
        answer = self._ask(f"infer {n} {warmup}", seconds, settle=prove)
        self.metered = (self.meter() if self.meter else 0) - before
        self._busy_s = 0.0
        self._check_counts(answer.check(), n, warmup)
        laps = self._laps(answer)
        results = self._results(answer)
        if prove:
            results = self._proved(answer, results)
        around = answer.arrivals_of(Infer)
        inference = Inference(n, warmup, laps, results, answer.took, around[1] - around[0] if len(around) == 2 else None)
        if laps is not None:
            self._step_us = math.gcd(self._step_us, *laps)
            elapsed_us(*laps, self._timing(answer, warmup / n))
        elapsed = inference.elapsed_us
        self._inference_s = max(self._inference_s or 0.0, elapsed * 1e-6 / n if elapsed else answer.took / total)
        return inference

    @staticmethod
    def _check_counts(answer: Answer, n: int, warmup: int) -> None:
        started = [m.count for m in answer.all(Infer)], [m.count for m in answer.all(Warmup)]
        for found, wanted, what in zip(started, (n, warmup), ("inferences", "warm-ups"), strict=True):
            counts = [count for count in found if count is not None]
            if counts not in ([], [wanted]):
                raise ProtocolError(
                    f"the device ran {' and '.join(map(str, counts))} {what} instead of {wanted}",
                    why=f"'{answer.command}' was damaged on its way",
                    hint=HINT_DAMAGE,
                )

    @staticmethod
    def _laps(answer: Answer) -> tuple[int, int] | None:
        laps = [m.us for m in answer.all(LapUs)]
        if not laps:
            return None
        if len(laps) != 2:
            raise ProtocolError(f"'{answer.command}' printed {len(laps)} time stamps instead of two", why=answer.lines, hint=HINT_DAMAGE)
        return laps[0], laps[1]

    @property
    def clock_step_us(self) -> int:
        """The step of the device's clock, as far as its stamps show: 1 us, 1 ms or 10 ms."""
        return next((step for step in (COARSEST_US, 1000) if self._step_us and self._step_us % step == 0), 1)

    def _timing(self, answer: Answer, warmups: float) -> Timing:
        first, last = answer.arrivals_of(LapUs)
        return Timing(last - first, answer.took, warmups, self._exact, bool(self._checks), self.clock_step_us)

    @staticmethod
    def _results(answer: Answer) -> tuple[float, ...]:
        results = answer.one(Results)
        if results is None:
            raise ProtocolError(f"'{answer.command}' was answered without results", why=f"received {answer.lines}", hint=HINT_DAMAGE)
        return results.values

    def _proved(self, answer: Answer, results: tuple[float, ...]) -> tuple[float, ...]:
        """The results of an answer that its checksum, or another reading, confirms."""
        if self.knows_check():
            told = self._ask("check").check().one(CheckMessage)
            if told is None or told.crc != answer.crc:
                raise ProtocolError(
                    f"the answer to '{answer.command}' is not what the device sent",
                    why=f"its checksum is {answer.crc:08x}, the device says {'nothing' if told is None else f'{told.crc:08x}'}",
                    hint=HINT_DAMAGE,
                )
            return results
        return self._read_again(results) if self._reads_results else results

    def _read_again(self, results: tuple[float, ...]) -> tuple[float, ...]:
        """The results, if a second or a third reading is equal.

        If none is, the measurement is to be repeated; if that gives these results again and again others when they are read, the device
        prints them once only, and nothing is proved.
        """
        refusals = readings = 0
        while readings < 2 and refusals < 2:
            again = self._ask("results", settle=True)
            if again.one(Error) is not None:
                refusals += 1
                self.recover()  # a terminator in the middle of the command gets two answers
            elif self._results(again.check()) == results:
                return results
            else:
                readings += 1
        odd, self._odd_results = self._odd_results, results
        if refusals == 2 or odd == results:
            self._reads_results = False
            return results
        raise ProtocolError(f"the results differ when they are read again: {results}", why=f"'results': {again.lines}", hint=HINT_DAMAGE)

    # --- helpers --------------------------------------------------------------------------------------------------------------
    def recover(self) -> None:
        """Finds a common starting point after an error; raises what :meth:`CommandChannel.resync` raises."""
        patience, self._busy_s = self._busy_s, 0.0
        self._conversation.resync(NAME_S, patience=patience)

    def _ask(self, command: str, seconds: float = COMMAND_S, *, settle: bool = False) -> Answer:
        self._counts.commands += 1
        return self._conversation.ask(command, seconds, settle=settle)

    def _exchange(self, command: str, take: Callable[[Answer], T]) -> T:
        """What ``take`` makes of the answer to a harmless command; a damaged exchange is repeated by the retry policy."""
        return POLICY.run(POLICY.exchanges, lambda: take(self._ask(command, settle=True).check()), self.recover, self._note_repeat)

    def _note_repeat(self, damage: Cm4TinyError) -> None:
        self._counts.repeats += 1
        self._events.message(self.link.name, f"retried after: {damage.what}", "warning")

    def _twice(self, command: str, take: Callable[[Answer], T]) -> T:
        """What two of up to three answers agree on."""
        readings: list[T] = []
        for _ in range(3):
            reading = self._exchange(command, take)
            if reading in readings:
                return reading
            readings.append(reading)
        raise ProtocolError(f"each answer to '{command}' differs", why=" | ".join(map(str, readings)), hint=HINT_DAMAGE)
