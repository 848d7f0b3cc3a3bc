# SPDX-License-Identifier: Apache-2.0
"""Energy of each window, from an EEMBC trace or from the samples in the MLCommons runner's ``results.json``.

EEMBC: ``trace1-energy.bin`` is the byte 0xf1, the sample rate as float32 and the samples in microjoules as float32, little endian;
``trace1-timestamps.json`` is a list of seconds, of which window k lies between entries 2k-1 and 2k (entry 0 precedes the first window).
The runner adds up the samples whose time lies between the stamps, and it makes that time by adding 0.001 again and again in double
precision; with any other way of counting two thirds of the published windows differ in their last digits.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cm4tiny.fetch.lfs import pointer_note
from cm4tiny.results.rounds.numbers import numbers_in_json

MAX_TRACE_BYTES = 64 << 20
MAX_STAMPS = 4096
MAX_STAMPS_BYTES = 1 << 20
_HEADER = struct.Struct("<Bf")
_MAGIC = 0xF1

Samples = npt.NDArray[np.float32]


class TraceProblem(Exception):  # noqa: N818 - not an error for a user: the session's notes carry it
    """Why a trace cannot be used, in a few words."""


def read_samples(path: Path) -> tuple[Samples, float]:
    """The samples in microjoules and their rate in hertz.

    Raises:
        TraceProblem: the file is not a trace.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    if size > MAX_TRACE_BYTES:
        raise TraceProblem(f"trace of {size} bytes, at most {MAX_TRACE_BYTES} are read")
    data = path.read_bytes()
    if note := pointer_note(data):
        raise TraceProblem(note)
    if len(data) < _HEADER.size or data[0] != _MAGIC:
        raise TraceProblem("trace without the header of an energy trace")
    _, rate = _HEADER.unpack_from(data)
    if not (math.isfinite(rate) and 1.0 <= rate <= 1e6):
        raise TraceProblem(f"trace with a sample rate of {rate:g} Hz")
    if (len(data) - _HEADER.size) % 4:
        raise TraceProblem("trace ends in the middle of a sample")
    samples = np.frombuffer(data, dtype="<f4", offset=_HEADER.size)
    if not np.isfinite(samples).all():
        raise TraceProblem("trace with samples that are not finite")
    return samples, rate


def read_timestamps(path: Path) -> tuple[float, ...]:
    """The time stamps in seconds, ascending.

    Raises:
        TraceProblem: the file is not a list of ascending times.
        OSError: it cannot be read.
    """
    if path.stat().st_size > MAX_STAMPS_BYTES:
        raise TraceProblem("list of time stamps of more than 1 MiB")
    try:
        data = path.read_bytes()
        if note := pointer_note(data):
            raise TraceProblem(note)
        stamps = numbers_in_json(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise TraceProblem("list of time stamps that is not JSON") from error
    if stamps is None or len(stamps) > MAX_STAMPS:
        raise TraceProblem("list of time stamps that is not a list of numbers")
    if any(later < earlier for earlier, later in itertools.pairwise(stamps)) or (stamps and stamps[0] < 0):
        raise TraceProblem("time stamps that do not ascend")
    return stamps


def window_energies(samples: Samples, rate: float, stamps: tuple[float, ...]) -> list[tuple[float, float, float]]:
    """``(start_s, stop_s, energy_uj)`` of each window, as EEMBC's runner adds them up.

    A pair of stamps that reaches beyond the samples gives no window.
    """
    step = np.full(len(samples), 1.0 / rate)
    if len(step):
        step[0] = 0.0
    times = np.cumsum(step)  # numpy adds one after the other here: t += step
    found = []
    for start, stop in zip(stamps[1::2], stamps[2::2], strict=False):
        if not len(times) or stop > times[-1] + 1.5 / rate:
            continue
        first, last = np.searchsorted(times, start, side="left"), np.searchsorted(times, stop, side="right")
        found.append((start, stop, math.fsum(samples[first:last].tolist())))
    return found
