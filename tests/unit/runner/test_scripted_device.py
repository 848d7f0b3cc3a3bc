# SPDX-License-Identifier: Apache-2.0
"""The campaign's scripted device against the harness itself, compiled for this machine."""

import random
import re
from pathlib import Path

import pytest
from support.firmware_stubs import HostHarness
from support.scripted_device import ScriptedDevice

from cm4tiny.deadline import Deadline

WORDS = [
    "name",
    "profile",
    "timestamp",
    "results",
    "infer",
    "db",
    "load",
    "print",
    "crc",
    "check",
    "",
    "x",
    "0",
    "1",
    "2",
    "40",
    "490",
    "-3",
    "zz",
]
WORDS += ["0", "1", "2", "40", "490", "-3", "zz", "00", "0a1", "ffEE", "7g", "na\x07me"]


def scripted(text: bytes) -> str:
    device = ScriptedDevice(input_bytes=490, results=12, running=False, inference_s=0.0)
    device.write(text)
    said = b""
    while part := device.read(Deadline(1e9, device.clock)):
        said += part
    return said.decode("latin-1")


def comparable(text: str) -> str:
    """Without what the stub model, the name and the clock decide, and the checksums over these."""
    text = re.sub(r"m-lap-us-\d+", "m-lap-us-N", re.sub(r"m-results-\[[^]]*\]", "m-results-[..]", text))
    return re.sub(r"m-check-[0-9a-f]{8}", "m-check-N", re.sub(r"m-name-dut-\[\w+\]", "m-name-dut-[..]", text))


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> HostHarness:
    return HostHarness(Path(tmp_path_factory.mktemp("harness")), "kws", "performance")


@pytest.mark.parametrize("seed", range(4))
def test_the_scripted_device_answers_as_the_harness_does(harness: HostHarness, seed: int) -> None:
    generator = random.Random(seed)
    commands = ["db load 490", *(["db " + generator.randbytes(490).hex()] if seed % 2 else [])]
    for _ in range(150):
        count = generator.choice([1, 1, 2, 2, 3])
        commands.append(" ".join(generator.choice(WORDS) for _ in range(count)))
    text = "".join(f"{command}%" for command in commands).encode("latin-1")
    for _ in range(20 if seed > 1 else 0):  # also damaged
        at = generator.randrange(len(text))
        text = text[:at] + bytes((generator.choice(b"%\r\n 09afz"),)) + text[at + generator.choice([0, 1]) :]
    assert comparable(scripted(text)) == comparable(harness.talk(text))
