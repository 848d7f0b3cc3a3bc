"""A device under test as the runner sees it: the commands of the MLPerf Tiny protocol as methods.

Commands, answers and the command buffer of 80 characters (hence 31 bytes of data in a ``db`` line) are those of the reference API
(``mlcommons/tiny``: ``benchmark/api/internally_implemented.cpp``); which commands are sent is what the official runner sends
(``benchmark/runner/device_under_test.py``). Unlike it, a load is verified and repeated when it was damaged, and every deadline scales
with the device that is measured.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cm4tiny.errors import DeadlineError, DeviceResetError, ProtocolError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.runner.conversation import BOOT_S, Answer, Conversation
from cm4tiny.runner.messages import Buffer, Error, Expecting, Infer, LapUs, LoadDone, Malformed, Model, Profile, Results

if TYPE_CHECKING:
    from cm4tiny.boards import Link

DEFAULT_CHUNK_BYTES = 31
COMMAND_S = 5.0
NAME_S = 2.0
FIRST_INFERENCE_S = 60.0
"""How long one inference of an unknown device may take; the slowest published on a microcontroller takes a few seconds."""
LOAD_ATTEMPTS = 4
WRAP_US = 2**32
"""The reference firmware prints its clock as a 32-bit number: it wraps every 71.6 minutes."""


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
    """

    iterations: int
    warmups: int
    lap_us: tuple[int, int] | None
    results: tuple[float, ...]

    @property
    def elapsed_us(self) -> int | None:
        """Microseconds between the two time stamps, over a wrap of a 32-bit clock; None without time stamps."""
        if self.lap_us is None:
            return None
        start, stop = self.lap_us
        return stop - start if stop >= start else stop + WRAP_US - start


@dataclass
class DutStatistics:
    """What went wrong and was put right on the way."""

    commands: int = 0
    loads: int = 0
    load_restarts: int = 0
    resyncs: int = 0


class _DamagedLoadError(Exception):
    """A chunk of a load got lost or changed; the load starts again."""


class Dut:
    """A device under test behind a link.

    Args:
        link: the byte stream to it; its clock measures every deadline.
        chunk_bytes: data bytes in one ``db`` line. 31 is what the reference command buffer takes; firmware with a larger one takes more.
        read_back: compare every load with the device's own ``db print`` (four times the traffic, finds changed digits).
        stop: when set, the next wait raises :class:`InterruptedRunError`.
        events: hears about repeated loads.
    """

    def __init__(
        self,
        link: Link,
        *,
        chunk_bytes: int = DEFAULT_CHUNK_BYTES,
        read_back: bool = False,
        first_inference_s: float = FIRST_INFERENCE_S,
        stop: threading.Event | None = None,
        events: EventStream = SILENT,
    ) -> None:
        if chunk_bytes < 1:
            raise ValueError("chunk_bytes must be positive")
        self.link = link
        self.chunk_bytes = chunk_bytes
        self.read_back = read_back
        self.stop = stop
        self.on_wait: Callable[[], None] | None = None  # hears now and then that the device is still silent
        self._conversation = Conversation(link, stop, self._waiting)
        self._first_inference_s = first_inference_s
        self._inference_s: float | None = None
        self._identity: Identity | None = None
        self._events = events
        self._counts = DutStatistics()

    def _waiting(self) -> None:
        if self.on_wait is not None:
            self.on_wait()

    @property
    def statistics(self) -> DutStatistics:
        """Counters so far; ``load_restarts`` and ``resyncs`` above zero mean a link that loses bytes."""
        return DutStatistics(self._counts.commands, self._counts.loads, self._counts.load_restarts, self._conversation.resyncs)

    @property
    def timestamp_mode(self) -> str | None:
        """``"performance"``, ``"energy"``, or None when the device was running before and did not say."""
        return self._conversation.timestamp_mode

    # --- who are you ----------------------------------------------------------------------------------------------------------
    def connect(self, *, boot_s: float = BOOT_S) -> Identity:
        """Hears out the start-up messages, agrees on a starting point, asks for name, profile and model. Once; later calls are free."""
        if self._identity is None:
            self._conversation.listen(boot_s)
            try:
                name = self._conversation.resync(NAME_S)
            except DeviceResetError:  # it took longer to start than was waited
                self._conversation.listen(boot_s)
                name = self._conversation.resync(NAME_S)
            answer = self._ask("profile").check()
            profile, model = answer.one(Profile), answer.one(Model)
            if profile is None or model is None:
                raise ProtocolError(
                    "the device does not tell its profile and model",
                    why=f"awaited 'm-profile-[...]' and 'm-model-[...]', received {answer.lines}",
                    cure="flash a benchmark image",
                )
            self._identity = Identity(name.vendor, profile.profile, model.model_id)
        return self._identity

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
                cure=f"flash the image of {model_id}, or run the benchmark of {identity.model_id}",
            )
        return identity

    def expect_mode(self, mode: str) -> None:
        """Makes sure that the image prints time stamps (``"performance"``) or signals them on a pin (``"energy"``)."""
        self.connect()
        found = self.timestamp_mode
        if found is None and mode == "performance":
            found = "performance" if self.timestamp() is not None else "energy"
        if found not in (None, mode):
            raise ProtocolError(
                f"the device runs an image for {found} runs, but the {mode} image is needed",
                why=f"it said m-timestamp-mode-{found}" if self.timestamp_mode else "it answers 'timestamp' without m-lap-us",
                cure=f"build and flash the {mode} image (EE_CFG_ENERGY_MODE={1 if mode == 'energy' else 0})",
            )

    def timestamp(self) -> int | None:
        """The device's clock in microseconds, or None from an energy image."""
        lap = self._ask("timestamp").check().one(LapUs)
        return None if lap is None else lap.us

    def results(self) -> tuple[float, ...]:
        """The numbers of the last inference."""
        return self._results(self._ask("results").check())

    # --- load -----------------------------------------------------------------------------------------------------------------
    def load(self, data: bytes) -> None:
        """Sends one input to the device's buffer and makes sure that it arrived.

        A damaged load (an error instead of an answer, too few or too many bytes, silence) starts again, at most
        :data:`LOAD_ATTEMPTS` times in all.

        Raises:
            ProtocolError: still damaged, or the device's buffer is too small.
            DeadlineError: the device does not answer at all.
        """
        self.connect()
        self._counts.loads += 1
        for attempt in range(LOAD_ATTEMPTS):
            try:
                self._load_once(data)
                return
            except (_DamagedLoadError, DeadlineError) as damage:
                reason = str(damage).splitlines()[0]
                if attempt + 1 == LOAD_ATTEMPTS:
                    raise ProtocolError(
                        f"{LOAD_ATTEMPTS} attempts to load {len(data)} bytes failed",
                        why=f"the last one: {reason}",
                        cure="the link loses bytes: use a lower baud rate, a shorter cable, or another USB port",
                    ) from None
                self._counts.load_restarts += 1
                self._events.message(self.link.name, f"load repeated: {reason}", "warning")
                self._conversation.resync(NAME_S)

    def _load_once(self, data: bytes) -> None:
        answer = self._ask(f"db load {len(data)}")
        expecting = answer.one(Expecting)
        if expecting is None and any("exceeds maximum" in m.line for m in answer.messages):
            raise ProtocolError(
                f"the device's buffer is smaller than the input of {len(data)} bytes",
                why=answer.lines,
                cure="flash the image of the benchmark that is run",
            )
        if expecting is None or expecting.count != len(data):
            raise _DamagedLoadError(f"'db load {len(data)}' was answered with {answer.lines}")
        for start in range(0, len(data), self.chunk_bytes):
            chunk = data[start : start + self.chunk_bytes]
            answer = self._ask(f"db {chunk.hex()}")
            done = answer.one(LoadDone) is not None
            last = start + len(chunk) == len(data)
            if answer.one(Error) or answer.one(Malformed) or done != last:
                raise _DamagedLoadError(f"bytes {start} to {start + len(chunk)} of {len(data)} were answered with {answer.lines}")
        if self.read_back:
            self._compare(data)

    def _compare(self, data: bytes) -> None:
        printed = b"".join(m.data for m in self._ask("db print", COMMAND_S + 0.002 * len(data)).all(Buffer))
        if printed != data:
            first = next((i for i, (a, b) in enumerate(zip(printed, data, strict=False)) if a != b), min(len(printed), len(data)))
            raise _DamagedLoadError(f"the device's buffer differs from byte {first} on ({len(printed)} of {len(data)} bytes printed)")

    # --- infer ----------------------------------------------------------------------------------------------------------------
    def infer(self, n: int, warmup: int = 0) -> Inference:
        """Runs ``warmup`` unmeasured and ``n`` measured inferences on the loaded input.

        The deadline is 1.5 times what the inferences should take by the longest one seen, and 5 s; before the first one it is
        ``first_inference_s`` each.

        Raises:
            ProtocolError: no results, an odd number of time stamps, or a count other than asked for.
            DeadlineError, DeviceResetError, LinkError, InterruptedRunError: as in :meth:`Conversation.ask`.
        """
        self.connect()
        total = n + warmup
        each = self._inference_s
        seconds = self._first_inference_s * total if each is None else total * each * 1.5 + COMMAND_S
        began = self.link.clock()
        answer = self._ask(f"infer {n} {warmup}", seconds).check()
        took = self.link.clock() - began
        started = next((m.count for m in answer.all(Infer) if m.count is not None), None)
        if started not in (None, n):
            raise ProtocolError(f"the device ran {started} inferences instead of {n}", why="the command was damaged on its way")
        inference = Inference(n, warmup, self._laps(answer), self._results(answer))
        elapsed = inference.elapsed_us
        self._inference_s = max(self._inference_s or 0.0, elapsed * 1e-6 / n if elapsed else took / total)
        return inference

    @staticmethod
    def _laps(answer: Answer) -> tuple[int, int] | None:
        laps = [m.us for m in answer.all(LapUs)]
        if not laps:
            return None
        if len(laps) != 2:
            raise ProtocolError(f"'{answer.command}' printed {len(laps)} time stamps instead of two", why=answer.lines)
        return laps[0], laps[1]

    @staticmethod
    def _results(answer: Answer) -> tuple[float, ...]:
        results = answer.one(Results)
        if results is None:
            raise ProtocolError(f"'{answer.command}' was answered without results", why=f"received {answer.lines}")
        return results.values

    # --- helpers --------------------------------------------------------------------------------------------------------------
    def recover(self) -> None:
        """Finds a common starting point after an error; raises what :meth:`Conversation.resync` raises."""
        self._conversation.resync(NAME_S)

    def _ask(self, command: str, seconds: float = COMMAND_S) -> Answer:
        self._counts.commands += 1
        return self._conversation.ask(command, seconds)
