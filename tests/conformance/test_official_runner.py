# SPDX-License-Identifier: Apache-2.0
"""MLCommons' own runner, unmodified, drives the virtual board through its pseudo terminal.

Needs a clone of mlcommons/tiny below the folder that ``CM4TINY_UPSTREAM`` names, and what that runner imports (matplotlib, pyusb, scipy,
scikit-learn). All the help it gets is a port list that announces the pseudo terminal as the board's ST-LINK.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cm4tiny.benchmarks import embedded_data_set, embedded_model, get_benchmark
from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.virtual.server import Addresses, serve
from cm4tiny.firmware.build import build_firmware
from cm4tiny.firmware.microtvm import compile_model
from cm4tiny.firmware.reference import reference_run
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.runner.dut import Dut
from cm4tiny.runner.performance import PerformanceResult, run_performance
from cm4tiny.runner.session import SessionWriter

RUNNER = Path(os.environ.get("CM4TINY_UPSTREAM", "/nonexistent")) / "tiny" / "benchmark" / "runner"

pytestmark = [
    pytest.mark.upstream,
    pytest.mark.skipif(not RUNNER.is_dir(), reason="CM4TINY_UPSTREAM names no folder with a clone of mlcommons/tiny"),
    pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc"),
]

DRIVER = """
import runpy, sys
import serial.tools.list_ports as ports, usb.core
from serial.tools.list_ports_common import ListPortInfo
port = ListPortInfo(sys.argv.pop(1))
port.vid, port.pid, port.hwid = 0x0483, 0x374B, "USB VID:PID=0483:374B"
ports.comports = lambda *a, **k: [port]
usb.core.find = lambda *a, **k: iter(())
folder = sys.argv.pop(1)
sys.path.insert(0, folder)
sys.argv[0] = "main.py"
runpy.run_path(folder + "/main.py", run_name="__main__")
"""


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    """The firmware; what the official runner imports is part of the extra ``test``, so a missing package is a failure, not a skip."""
    model = compile_model(embedded_model("kws").read_bytes(), name="kws01")
    return build_firmware(
        get_benchmark("kws"), model, mode="performance", toolchain=find_toolchain("path"), out_dir=tmp_path / "firmware"
    ).elf


@pytest.fixture
def port(elf: Path) -> Iterator[str]:
    stop, ready = threading.Event(), threading.Event()
    addresses: list[Addresses] = []

    def announce(found: Addresses) -> None:
        addresses.append(found)
        ready.set()

    with VirtualBoard(elf) as board:
        server = threading.Thread(target=lambda: serve(board, tcp_port=0, stop=stop, on_ready=announce))
        server.start()
        assert ready.wait(30)
        yield str(addresses[0].pty)
        stop.set()
        server.join(30)


def own_result(elf: Path, folder: Path) -> PerformanceResult:
    """What this project's runner measures, in windows that it makes long enough."""
    with VirtualBoard(elf) as board, SessionWriter(folder / "own") as session:
        return run_performance(Dut(board.link), get_benchmark("kws"), embedded_data_set("kws"), session)


def run_official(port: str, folder: Path, tests: str, mode: str, iterations: int = 0) -> str:
    """Runs it with ``iterations`` inferences in a window, where its own number would be too few for ten seconds."""
    (folder / "datasets").mkdir()
    (folder / "datasets" / "kws01").symlink_to(embedded_data_set("kws").root)
    (folder / "tests.yaml").write_text(
        (RUNNER / tests).read_text(encoding="utf-8").replace("infer 70 10", f"infer {iterations} 10"), encoding="utf-8"
    )
    (folder / "drive.py").write_text(DRIVER, encoding="utf-8")
    command = [sys.executable, "drive.py", port, str(RUNNER), "-d", str(RUNNER / "devices_kws_ic_vww.yaml")]
    command += ["-t", "tests.yaml", "-s", "datasets", "-m", mode]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next((folder / "sessions").rglob("results.txt")).read_text(encoding="utf-8")


def test_the_official_runner_measures_what_this_projects_runner_measures(elf: Path, port: str, tmp_path: Path) -> None:
    own = own_result(elf, tmp_path)
    assert own.breaches == ()
    text = run_official(port, tmp_path, "tests_performance.yaml", "p", iterations=max(w.iterations for w in own.windows))
    assert text.count("Runtime requirements have been met.") == 5
    median = re.search(r"Median throughput is\s+([\d.]+) inf\./sec\.", text)
    assert median is not None
    assert float(median[1]) == pytest.approx(own.throughput, rel=0.002)


def test_the_official_runner_finds_the_accuracy_of_the_reference_kernels(port: str, tmp_path: Path) -> None:
    text = run_official(port, tmp_path, "tests_accuracy.yaml", "a")
    found = re.search(r"Top 1% = ([\d.]+)", text)
    assert found is not None
    data_set, model = embedded_data_set("kws"), embedded_model("kws").read_bytes()
    inputs = np.stack([np.frombuffer(next(iter(data_set.segments(sample))), np.int8) for sample in data_set.samples])
    right = reference_run(model, inputs).argmax(axis=1) == [sample.label for sample in data_set.samples]
    assert float(found[1]) == pytest.approx(100 * right.mean(), abs=0.05)
