# SPDX-License-Identifier: Apache-2.0
"""Real-shaped sessions with damage: what the fuzz tests of the readers feed on. Everything follows from one ``random.Random``."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from support.sessions import EembcSession, Infer, MlcSession, five_windows, trace, vector

FRAGMENTS = [
    *(b"m-lap-us-", b"m-lap-us-123456", b"m-results-[", b"m-results-[0.1,0.2]", b'Command "dut infer 100 1"', b'Command "bload dut "'),
    *(b"\r\n", b"\n", b"\r", b"\0", b"\xff\xfe", b"\x1b[32mOK\x1b[0m", b"]", b"[", b'"', b"e-[error]", b"m-session-start-id[1]"),
    *(b"Top-1: 100.0%", b" ulp-mlperf: AUC: 1.00", b"Median throughput is 8.332 inf./sec.", b"nan", b"inf", b"1e999", b"-1", b"9" * 23),
    *(b"0726.010150 ulp-mlperf: ", b"Runtime : 1.0 sec.", b"Loading file x.bin segment 0", b"RX:", b"Duty cycle start times (s)"),
    *(b"   " * 50, b"{" * 50, b"[" * 50, b"../../etc/passwd", b"\xe2\x80\xa8", b"\xd9\xa1"),
]


@dataclass
class Case:
    """A session as its files; ``changed`` names the role that was damaged."""

    kind: str
    mode: str
    benchmark: str
    files: dict[str, bytes]
    changed: str = ""


def _labels(rng: random.Random) -> list[tuple[str, int]]:
    return [(f"tst_{number:06d}_Word_{number % 12}.bin", number % 12) for number in range(12)]


def _windows(rng: random.Random) -> list[Infer]:
    session = five_windows(us=rng.randrange(9_000_000, 14_000_000))
    return [Infer(i.file, i.iterations, i.laps, [round(v, 3) for v in i.values]) for i in session.infers]


def eembc_performance(rng: random.Random) -> Case:
    session = EembcSession(_windows(rng))
    return Case("eembc performance", "performance", "kws", {"log": session.log(rng.choice(["\n", "\r\n"])), "results": session.results()})


def eembc_accuracy(rng: random.Random) -> Case:
    infers = [Infer(name, 1, (1, 2), vector((label + (index < 3)) % 12)) for index, (name, label) in enumerate(_labels(rng))]
    session = EembcSession(infers, mode="accuracy")
    return Case("eembc accuracy", "accuracy", "kws", {"log": session.log(), "results": session.results(top_1="75.0", auc="0.86")})


def eembc_energy(rng: random.Random) -> Case:
    session = EembcSession([Infer(i.file, 100, (0, 0), i.values) for i in _windows(rng)], mode="energy")
    stamps = [0.018] + [round(0.1005 + 0.05 * number, 4) for number in range(10)]
    files = {"log": session.log(), "trace": trace([2.0] * 700), "timestamps": json.dumps(stamps).encode()}
    return Case("eembc energy", "energy", "kws", files | {"results": session.results(energy="1.000", median="2000.000")})


def mlc_performance(rng: random.Random) -> Case:
    session = MlcSession(_windows(rng))
    files = {"log": session.log(rng.choice(["\n", "\r\n"])), "results": session.results()}
    return Case("mlc performance", "performance", "kws", files | ({"json": session.json()} if rng.random() < 0.5 else {}))


def mlc_accuracy(rng: random.Random) -> Case:
    infers = [Infer(name, 1, (1, 2), vector((label + (index < 3)) % 12)) for index, (name, label) in enumerate(_labels(rng))]
    session = MlcSession(infers, mode="accuracy")
    return Case("mlc accuracy", "accuracy", "kws", {"log": session.log(), "results": session.results(top_1="75.0", auc="0.818")})


def mlc_energy(rng: random.Random) -> Case:
    session = MlcSession(_windows(rng), mode="energy")
    power: list[dict[str, object]] = [{"samples": [1e-6] * 60, "timestamps": [["00", 5], ["01", 55]], "voltage": 3} for _ in range(5)]
    return Case(
        "mlc energy", "energy", "kws", {"log": session.log(), "json": session.json(power), "results": session.results(energy="0.5000")}
    )


def mlc_streaming(rng: random.Random) -> Case:
    lines = ["RX:Duty cycle start times (s)", "RX:100, 3300, 6500,", "RX:Duty cycle stop times (s)", "RX:1100, 4300,", "RX:7500, m-ready"]
    session = MlcSession([], lines=[*lines, "[74, 10074, 20100, 27000]", "Duty cycle = 0.3, Period = 32.0 ms"])
    results = b"Accuracy: 2 True positives, 1 False negatives, 1 False positives\nEstimated throughput: 100.0 inf./sec.\n"
    return Case("mlc streaming", "performance", "sww", {"log": session.log(), "results": results})


MAKERS: tuple[Callable[[random.Random], Case], ...] = (
    eembc_performance, eembc_accuracy, eembc_energy, mlc_performance, mlc_accuracy, mlc_energy, mlc_streaming,
)  # fmt: skip


def damage(data: bytes, rng: random.Random) -> bytes:
    """One to four small or large injuries."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not data:
            return data
        at = rng.randrange(len(data))
        how = rng.randrange(10)
        if how == 0:  # a byte becomes another one
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif how == 1:  # a digit becomes another one
            places = [place for place in range(at, min(len(data), at + 200)) if data[place : place + 1].isdigit()]
            if places:
                data = data[: places[0]] + str(rng.randrange(10)).encode() + data[places[0] + 1 :]
        elif how == 2:
            data = data[:at] + data[at + rng.choice((1, 5, 60, 400)) :]
        elif how == 3:
            data = data[:at]
        elif how == 4:
            data = data[at:]
        elif how == 5:
            data = data[:at] + rng.choice(FRAGMENTS) + data[at:]
        else:
            data = _lines(data, rng, how)
    return data


def _lines(data: bytes, rng: random.Random, how: int) -> bytes:
    lines = data.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    if how == 6:
        del lines[one]
    elif how == 7:
        lines.insert(other, lines[one])
    elif how == 8:
        lines[one], lines[other] = lines[other], lines[one]
    else:
        lines[one] = lines[one] + rng.choice((b"\r", b"", b" ", b"\x1b[0m")) + lines[other]
        del lines[other]
    return b"\n".join(lines)


def mutated(seed: int) -> Case:
    """A session of which one file, mostly the log, was damaged."""
    rng = random.Random(seed)
    case = rng.choice(MAKERS)(rng)
    case.changed = "log" if rng.random() < 0.8 else rng.choice(sorted(case.files))
    case.files[case.changed] = damage(case.files[case.changed], rng)
    return case
