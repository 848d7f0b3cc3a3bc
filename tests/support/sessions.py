# SPDX-License-Identifier: Apache-2.0
"""Writes sessions and rounds as the runners and submitters do, from figures that a test chooses; it shares no code with the readers."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

KWS = ["tst_000000_Stop_7.bin", "tst_000001_Left_2.bin", "tst_000002_Right_6.bin", "tst_000003_Up_8.bin", "tst_000004_On_5.bin"]


def vector(label: int, classes: int = 12, top: float = 0.75) -> list[float]:
    """A result vector whose largest entry is ``label``'s."""
    rest = round((1 - top) / (classes - 1), 3)
    return [top if index == label else rest for index in range(classes)]


def printed(values: Sequence[float]) -> str:
    """A result vector as a device prints it."""
    return ",".join(f"{value:.3f}" for value in values)


@dataclass
class Infer:
    """One inference command of a session: the file before it, measured inferences, the device's two time stamps, the vector."""

    file: str
    iterations: int
    laps: tuple[int, int]
    values: list[float]
    segment: int | None = None


@dataclass
class EembcSession:
    """A session of EEMBC's runner."""

    infers: list[Infer]
    mode: str = "performance"
    model: str = "kws01"
    run_mode: str = "bmark"
    lines: list[str] = field(default_factory=list)

    def log(self, end: str = "\n") -> bytes:
        """``log.txt``."""
        energy = self.mode == "energy"
        code, device, load = ("ulp-ml", "io: [dut]:", "bloadp ") if energy else ("ulp-mlperf", "dut:", "bload dut ")
        said = [
            "session: m-session-start-id[20220921141946]",
            f"parser: m-bmark-run-name[ML Performance 1.0.1]-code[{code}]",
            f"parser: m-bm-cfg-name[{code}]-key[iterInfer]-val[100]",
            f"parser: m-bm-cfg-name[{code}]-key[runMode]-val[{self.run_mode}]",
            f"{device} m-profile-[ULPMark for tinyML Firmware V0.0.1]",
            f"{device} m-model-[{self.model}]",
            'parser: Command "dut timestamp"',
            *([] if energy else ["dut: m-lap-us-11"]),
            *(["emon: m-voltage-mv[1800]", "emon: m-regfile-fn[trace1-energy.bin]-type[emon]-name[lpm01a]"] if energy else []),
            *self.lines,
        ]
        for infer in self.infers:
            place = f"C:\\Users\\someone\\eembc\\runner\\datasets\\{self.model}\\{infer.file}"
            where = "" if infer.segment is None else f" {infer.segment * 512} 2560"
            said += [
                f'sequencer: m-sequencing-i[5]-command[{load}"{place}"{where}]-ack[/parser: m-ready/]-ms[7840]',
                f'parser: Command "{load}"{place}"{where}"',
                "parser: File size is 490, loading...",
                "parser: m-mute-target[dut]",
                "parser: m-unmute-target[dut]",
                f'parser: Command "{"io " if energy else ""}dut infer {infer.iterations} 1"',
                f"{device} m-warmup-start-1",
                f"{device} m-infer-start-{infer.iterations}",
                *([] if energy else [f"dut: m-lap-us-{infer.laps[0]}", f"dut: m-lap-us-{infer.laps[1]}"]),
                f"{device} m-infer-done",
                f"{device} m-results-[{printed(infer.values)}]",
                f"{device} m-ready",
            ]
        said += ["session: m-session-stop-id[20220921141946]", "session: Saved this run to session ID 20220921141946"]
        return end.join(f"{20 + number / 1000:09.3f} {text}" for number, text in enumerate(said)).encode() + end.encode()

    def results(self, *, top_1: str = "", auc: str = "", median: str = "", energy: str = "") -> bytes:
        """``results.txt``; claims that are not given follow from the figures (performance) or are left out."""
        code = "ulp-ml" if self.mode == "energy" else "ulp-mlperf"
        lines = []
        if self.mode == "performance":
            speeds = []
            for number, infer in enumerate(self.infers, 1):
                elapsed = infer.laps[1] - infer.laps[0]
                speeds.append(infer.iterations * 1e6 / elapsed)
                lines += [
                    f"Performance results for window {2 * number}:",
                    f"  # Inferences :     {infer.iterations:8d}",
                    f"  Runtime      : {elapsed / 1e6:12.3f} sec.",
                    f"  Throughput   : {speeds[-1]:12.3f} inf./sec.",
                    "Runtime requirements have been met.",
                ]
            middle = sorted(speeds)[len(speeds) // 2]
            lines += ["-" * 57, f"Median throughput is {median or f'{middle:.3f}'} inf./sec.", "-" * 57]
        if top_1:
            lines.append(f"Top-1: {top_1}%")
        if auc:
            lines.append(f"AUC: {auc}")
        if energy:
            lines += ["-" * 57, f"Median energy cost is {energy} uJ/inf.", f"Median throughput is {median} inf./sec."]
        return "".join(f"00366.{number:03d} {code}: {text}\n" for number, text in enumerate(lines)).encode()


def five_windows(files: Sequence[str] = KWS, *, iterations: int = 100, us: int = 12_000_000) -> EembcSession:
    """A performance session of five windows that last ``us`` and a little more each."""
    labels = [7, 2, 6, 8, 5]
    spans = [(1000 + number * 20_000_000, 1000 + number * 20_000_000 + us + 1000 * number) for number in range(5)]
    infers = [Infer(file, iterations, span, vector(label)) for file, span, label in zip(files, spans, labels, strict=True)]
    return EembcSession(infers)


def trace(samples_uj: Sequence[float]) -> bytes:
    """``trace1-energy.bin``."""
    return struct.pack("<Bf", 0xF1, 1000.0) + struct.pack(f"<{len(samples_uj)}f", *samples_uj)


@dataclass
class MlcSession:
    """A session of the MLCommons runner."""

    infers: list[Infer]
    mode: str = "performance"
    model: str = "kws01"
    lines: list[str] = field(default_factory=list)

    def log(self, end: str = "\n") -> bytes:
        """``log.txt``."""
        said = [
            "Logging initialized. Writing output to sessions\\20250726_010147\\log.txt",
            "Initializing SerialDevice on port: COM33 at 921600 baud",
            "Device name retrieved: someone",
            "Device profile retrieved: ULPMark for tinyML Firmware V0.0.1",
            f"Device model retrieved: {self.model}",
            *self.lines,
        ]
        for number, infer in enumerate(self.infers, 1):
            elapsed = (infer.laps[1] - infer.laps[0]) / 1e6
            stamp = "0726.010150 ulp-mlperf:"
            said += [
                f"{stamp} Loading file {infer.file} segment {infer.segment or 0}",
                f"{stamp} Load complete.",
                f"Running inference with 1/{infer.iterations} (warmup/measured) iterations ...",
                "done",
            ]
            if self.mode == "energy":
                said.append("Captured samples:15044 timestamps:3")
                continue
            said += [
                f"{stamp} Performance results for window {number}:",
                f"{stamp}   # Inferences : {infer.iterations:13d}",
                f"{stamp}   Runtime      : {elapsed:10.3f} sec.",
                f"{stamp}   Throughput   : {infer.iterations / elapsed:10.3f} inf./sec.",
                f"{stamp}   m-results    : {infer.values}",
            ]
        said.append("Session logged in file sessions\\20250726_010147\\log.txt")
        return end.join(said).encode() + end.encode()

    def json(self, power: Sequence[dict[str, object]] = ()) -> bytes:
        """``results.json``."""
        entries: list[dict[str, object]] = []
        for number, infer in enumerate(self.infers):
            elapsed = infer.laps[1] - infer.laps[0]
            measured: dict[str, object] = {"results": infer.values, "total_inferences": 1, "iterations": infer.iterations, "warmups": 1}
            if self.mode == "performance":
                measured |= {"start_time": infer.laps[0], "end_time": infer.laps[1], "elapsed_time": elapsed}
                measured["throughput"] = 1e6 * infer.iterations / elapsed
            stride = None if infer.segment is None else 512
            entry: dict[str, object] = {"file": infer.file, "classes": "12", "class": "7", "stride": stride, "infer": measured}
            entries.append(entry | ({"power": power[number]} if power else {}) | {"mode": self.mode[0]})
        return json.dumps(entries).encode()

    def results(self, *, top_1: str = "", auc: str = "", median: str = "", energy: str = "") -> bytes:
        """``results.txt``."""
        stamp, lines = "0726.010245 ulp-mlperf:", []
        if self.mode == "performance":
            for number, infer in enumerate(self.infers, 1):
                elapsed = (infer.laps[1] - infer.laps[0]) / 1e6
                lines += [
                    f"Performance results for window {number}",
                    f"    # Inferences : {infer.iterations}",
                    f"    Runtime: {elapsed} sec.",
                ]
                lines.append(f"    Throughput: {infer.iterations / elapsed} inf./sec.")
            speeds = sorted(infer.iterations * 1e6 / (infer.laps[1] - infer.laps[0]) for infer in self.infers)
            lines.append(f"{stamp} Median throughput is {median or format(speeds[len(speeds) // 2], '10.3f')} inf./sec.")
        if top_1:
            lines += [f"{stamp} Top 1% = {top_1}", f"{stamp} AUC = {auc}"]
        if energy:
            for number, infer in enumerate(self.infers):
                lines += [f"Energy data for trial {number}", "  Elapsed time  : 10.886", f"  Inferences    : {infer.iterations}"]
                lines += ["  Power         : 32.8730 mW.", "  Total Energy  : 357855.490 uJ", "  Energy/Inf    : 1431.422 uJ/inf"]
            lines.append(f"Median energy cost is {energy} uJ/inf.")
        return "".join(f"{line}\n" for line in lines).encode()


def write(folder: Path, **files: bytes | None) -> Path:
    """Writes files into ``folder``: ``log``, ``results``, ``json``, ``trace``, ``timestamps``, ``script``."""
    names = {
        "log": "log.txt",
        "results": "results.txt",
        "json": "results.json",
        "trace": "trace1-energy.bin",
        "timestamps": "trace1-timestamps.json",
        "script": "script.async",
    }
    folder.mkdir(parents=True, exist_ok=True)
    for role, data in files.items():
        if data is not None:
            (folder / names[role]).write_bytes(data)
    return folder


def result_folder(root: Path, benchmark: str = "kws", *, round_id: str = "v1.1", system: str = "board", division: str = "closed") -> Path:
    """The folder of a result in a new round's tree, with a system description; modes go into it."""
    submitter = root / f"tiny_results_{round_id}" / division / "someone"
    (submitter / "systems").mkdir(parents=True, exist_ok=True)
    (submitter / "systems" / f"{system.replace('/', '_')}.json").write_text('{"Board Name": "a board", "Status": "available"}')
    folder = submitter / "results" / system / benchmark
    folder.mkdir(parents=True, exist_ok=True)
    return folder
