# SPDX-License-Identifier: Apache-2.0
"""A valid submission, broken in one way at a time: what the audit must find, rule by rule."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import session_maker as maker
from support import streaming_maker

SUBMITTER = Path("closed") / "Example"
RESULTS = SUBMITTER / "results" / "BOARD_A"
KWS, IC = RESULTS / "kws", RESULTS / "ic"
LFS_POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345678\n"
SYSTEM = SUBMITTER / "systems" / "BOARD_A.json"


@dataclass(frozen=True)
class Mutation:
    """One way of breaking a submission. ``apply`` gets the folder above ``closed``; ``rule`` must then be found."""

    name: str
    rule: str
    apply: Callable[[Path], None]
    round: str = "v1.4"


def _edit(path: Path, pattern: str, new: str, count: int = 0) -> None:
    text = path.read_text(encoding="utf-8")
    changed = re.sub(pattern, new, text, count=count)
    assert changed != text, f"{pattern} changed nothing in {path}"
    path.write_text(changed, encoding="utf-8")


def _again(path: Path, write: Callable[[Path], object]) -> None:
    shutil.rmtree(path)
    write(path)


def edit(path: Path, pattern: str, new: str, count: int = 0) -> Callable[[Path], None]:
    return lambda root: _edit(root / path, pattern, new, count)


def remove(path: Path) -> Callable[[Path], None]:
    return lambda root: shutil.rmtree(root / path) if (root / path).is_dir() else (root / path).unlink()


def rename(path: Path, name: str) -> Callable[[Path], None]:
    return lambda root: (root / path).rename((root / path).with_name(name)) and None


def write(path: Path, text: str = "x") -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")

    return apply


def session(path: Path, make: Callable[..., object], *arguments: object, **choices: object) -> Callable[[Path], None]:
    return lambda root: _again(root / path, lambda folder: make(folder, *arguments, **choices))


def system(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        document = json.loads((root / SYSTEM).read_text(encoding="utf-8"))
        change(document)
        (root / SYSTEM).write_text(json.dumps(document), encoding="utf-8")

    return apply


def _link(root: Path) -> None:
    (root / SUBMITTER / "code" / "link.c").symlink_to("/etc/hosts")


def _large(root: Path) -> None:
    with (root / SUBMITTER / "code" / "large.bin").open("wb") as stream:
        stream.truncate(501 * 1024 * 1024)


def _folder(path: Path) -> Callable[[Path], None]:
    return lambda root: (root / path).mkdir(parents=True)


def _doubled(path: Path) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        (root / path).write_text(text + text, encoding="utf-8")

    return apply


def _no_results(root: Path) -> None:
    shutil.rmtree(root / SUBMITTER / "results")


def _ic2(root: Path) -> None:
    (root / IC).rename(root / RESULTS / "ic2")


def _ic2_elsewhere(root: Path) -> None:
    _second_system(root)
    (root / SUBMITTER / "results" / "BOARD_B" / "ic").rename(root / SUBMITTER / "results" / "BOARD_B" / "ic2")


def _eembc(root: Path) -> None:
    _again(root / KWS / "performance", maker.eembc_performance)
    (root / KWS / "EEMBC_RUNNER").touch()


def _eembc_energy(stamps: int) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        _again(root / KWS / "energy", maker.eembc_performance)
        if stamps:
            maker.eembc_trace(root / KWS / "energy", stamps=stamps)

    return apply


def _no_script(root: Path) -> None:
    _eembc(root)
    (root / KWS / "performance" / "script.async").unlink()


def _complaint(root: Path) -> None:
    _eembc(root)
    line = "00514.974 ulp-mlperf: e-[The run must take at least 10 seconds and 10 iterations to be valid]\n"
    path = root / KWS / "performance" / "results.txt"
    path.write_text(line + path.read_text(encoding="utf-8"), encoding="utf-8")


def _other_log(root: Path) -> None:
    folder = root / KWS / "performance"
    maker.performance(root / "other", iterations=250)
    shutil.copyfile(root / "other" / "log.txt", folder / "log.txt")
    shutil.copyfile(root / "other" / "results.json", folder / "results.json")
    shutil.rmtree(root / "other")


def _recoded(path: Path, encoding: str, before: str = "", swap: tuple[str, str] = ("", "")) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        (root / path).write_bytes((before + (text.replace(*swap) if swap[0] else text)).encode(encoding))

    return apply


def _second_system(root: Path) -> None:
    shutil.copytree(root / RESULTS, root / SUBMITTER / "results" / "BOARD_B")
    shutil.copyfile(root / SYSTEM, root / SUBMITTER / "systems" / "BOARD_B.json")


def _cut(path: Path) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        lines = (root / path).read_text(encoding="utf-8").splitlines(keepends=True)
        (root / path).write_text("".join(lines[len(lines) // 2 :]), encoding="utf-8")

    return apply


def _no_samples(root: Path) -> None:
    path = root / KWS / "energy" / "results.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    for entry in entries:
        del entry["power"]
    path.write_text(json.dumps(entries), encoding="utf-8")


def _watts(watts: float) -> Callable[[Path], None]:
    return session(KWS / "energy", maker.energy, watts=watts)


def _wide(root: Path) -> None:
    for name in ("log.txt", "results.json"):
        _edit(root / KWS / "accuracy" / name, r"(m-results    : \[|\"results\": \[)", r"\g<1>0.0, ")


def _constant(root: Path) -> None:
    for name in ("log.txt", "results.json"):
        _edit(root / KWS / "accuracy" / name, r"(m-results    : |\"results\": )\[[^]]*\]", r"\1[0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]")


def _clock(root: Path) -> None:
    _eembc(root)
    _edit(root / KWS / "performance" / "log.txt", "m-lap-us-1", "m-lap-us-0", count=2)


def _no_inferences(root: Path) -> None:
    folder = root / KWS / "performance"
    lines = [line for line in (folder / "log.txt").read_text(encoding="utf-8").splitlines() if "retrieved" in line or "log.txt" in line]
    (folder / "log.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "results.json").write_text("[]", encoding="utf-8")


def _copied(root: Path) -> None:
    path = root / KWS / "performance" / "results.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    for entry in entries:
        entry["infer"].update(end_time=entry["infer"]["start_time"] + 10_500_123, elapsed_time=10_500_123)
    path.write_text(json.dumps(entries), encoding="utf-8")


def _files(path: Path, old: str, new: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        for name in ("log.txt", "results.json"):
            _edit(root / path / name, old, new)

    return apply


def _names(benchmark: str, make: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    return session(RESULTS / benchmark / "accuracy", maker.accuracy, benchmark, names=make(maker.NAMES[benchmark]))


def _open(root: Path) -> None:
    _again(root / KWS / "accuracy", lambda folder: maker.accuracy(folder, wrong=20))
    (root / "closed").rename(root / "open")
    path = root / "open" / "Example" / "systems" / "BOARD_A.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"closed"', '"open"'), encoding="utf-8")


def record(path: Path, change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], None]:
    """Changes the entries of a session's results.json."""

    def apply(root: Path) -> None:
        entries = json.loads((root / path / "results.json").read_text(encoding="utf-8"))
        change(entries)
        (root / path / "results.json").write_text(json.dumps(entries), encoding="utf-8")

    return apply


def _slow_host(root: Path) -> None:
    """The host's clock goes 4 per cent further than the device's."""
    _eembc(root)
    path = root / KWS / "performance" / "log.txt"
    host = re.compile(r"^(\d{5}\.\d{3})(?= dut: m-lap)", re.MULTILINE)
    times = iter([40.0 + 20 * (n // 2) + 10.92 * (n % 2) for n in range(10)])
    path.write_text(host.sub(lambda _: f"{next(times):09.3f}", path.read_text(encoding="utf-8")), encoding="utf-8")


def _streaming(mode: str = "performance", said: tuple[str, str] = ("", ""), **choices: object) -> Callable[[Path], None]:
    """A streaming session; ``said``: a pattern in results.txt and what to put in its place."""

    def apply(root: Path) -> None:
        folder = streaming_maker.streaming(root / RESULTS / "sww" / mode, mode, **choices)  # type: ignore[arg-type]
        write(SUBMITTER / "code" / "sww" / "main.c")(root)
        if said[0]:
            _edit(folder / "results.txt", *said)

    return apply


def _no_picture(root: Path) -> None:
    _streaming("energy")(root)
    (root / RESULTS / "sww" / "energy" / "energy_inf_000.png").unlink()


def _anomaly(**choices: object) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        maker.performance(root / RESULTS / "ad" / "performance", "ad")
        maker.accuracy(root / RESULTS / "ad" / "accuracy", "ad", **choices)  # type: ignore[arg-type]
        write(SUBMITTER / "code" / "ad" / "main.c")(root)

    return apply


def _half_a_file(root: Path) -> None:
    _anomaly()(root)
    path = root / RESULTS / "ad" / "accuracy" / "results.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(entries[:-100]), encoding="utf-8")
    log = root / RESULTS / "ad" / "accuracy" / "log.txt"
    head, _, tail = log.read_text(encoding="utf-8").rpartition("segment 96")
    log.write_text(head + "segment 96\n" + tail[tail.index("-" * 20) :], encoding="utf-8")


def _script_without_anomalies(root: Path) -> None:
    _anomaly()(root)
    folder = root / RESULTS / "ad" / "accuracy"
    for name in ("log.txt", "results.json"):
        (folder / name).unlink()
    lines = [f"{{ cmd: 'bload dut \"/x/normal_id_01_0000000{n}_hist_librosa.bin\" 512 2560', ms: 1 }}" for n in range(3)]
    (folder / "script.async").write_text(",\n".join(lines), encoding="utf-8")


def _one_hot(root: Path) -> None:
    for name in ("log.txt", "results.json"):
        _edit(root / KWS / "accuracy" / name, r"0\.996", "1.0")


def _twice(document: Path, key: str, value: str) -> Callable[[Path], None]:
    return edit(document, r"\}\s*\Z", f', "{key}": "{value}"}}')


MUTATIONS = (
    Mutation("a folder next to closed", "structure.division", _folder(Path("measurements") / "x")),
    Mutation("no results", "structure.no-results", _no_results),
    Mutation("a symbolic link", "structure.symbolic-link", _link),
    Mutation("a file of 501 MiB", "structure.large-file", _large),
    Mutation("byte code", "structure.pycache", write(SUBMITTER / "code" / "__pycache__" / "x.pyc")),
    Mutation("an empty folder", "structure.empty-folder", _folder(SUBMITTER / "code" / "empty")),
    Mutation("a hidden file", "structure.name", write(SUBMITTER / "code" / "kws" / ".DS_Store")),
    Mutation("a blank in a name", "structure.name", write(SUBMITTER / "code" / "kws" / "read me")),
    Mutation("an unknown benchmark", "structure.benchmark", rename(KWS, "kwd")),
    Mutation("a benchmark's long name", "structure.layout", rename(KWS, "keyword_spotting")),
    Mutation("energy misspelt", "structure.layout", rename(KWS / "energy", "enegy")),
    Mutation("prefixed files", "structure.layout", rename(KWS / "performance" / "results.txt", "performance_results.txt")),
    Mutation("ic2 without ic", "structure.ic2-without-ic", _ic2),
    Mutation("ic2 on a system without ic", "structure.ic2-of-a-system", _ic2_elsewhere),
    Mutation("no accuracy", "structure.modes", remove(KWS / "accuracy")),
    Mutation("no performance", "structure.modes", remove(KWS / "performance")),
    Mutation(
        "no streaming session",
        "structure.modes",
        session(IC, lambda folder: streaming_maker.streaming(folder.with_name("sww") / "accuracy")),
    ),
    Mutation("marked as a draft", "documents.draft", write(SUBMITTER / "DRAFT.md")),
    Mutation("no code", "documents.code", remove(SUBMITTER / "code")),
    Mutation("no code of one benchmark", "documents.code", remove(SUBMITTER / "code" / "ic")),
    Mutation("no README", "documents.readme", lambda root: [path.unlink() for path in root.rglob("README.md")] and None),
    Mutation("no checklist", "documents.checklist", lambda root: [path.unlink() for path in root.rglob("*Checklist*")] and None),
    Mutation("no energy set-up", "documents.energy-set-up", lambda root: [path.unlink() for path in root.rglob("*Hookup*")] and None),
    Mutation("a changed file", "documents.checksums", write(SUBMITTER / "SHA256SUMS", "0" * 64 + "  README.md\n")),
    Mutation("accuracy without results.txt", "files.results", remove(KWS / "accuracy" / "results.txt")),
    Mutation("performance without results.txt", "files.results", remove(KWS / "performance" / "results.txt")),
    Mutation("energy without results.txt", "files.results", remove(IC / "energy" / "results.txt")),
    Mutation("no log", "files.log", remove(KWS / "accuracy" / "log.txt")),
    Mutation("no results.json", "files.json", remove(KWS / "accuracy" / "results.json")),
    Mutation("no script", "files.script", _no_script, "v1.3"),
    Mutation("a log that is a Git LFS pointer", "files.lfs-pointer", write(KWS / "accuracy" / "log.txt", LFS_POINTER)),
    Mutation("a description that is a Git LFS pointer", "files.lfs-pointer", write(SYSTEM, LFS_POINTER)),
    Mutation("a log in UTF-16", "files.encoding", _recoded(KWS / "accuracy" / "log.txt", "utf-16")),
    Mutation("results in Latin-1", "files.encoding", _recoded(KWS / "accuracy" / "results.txt", "latin-1", "\u00b5")),
    Mutation("a forgotten file", "files.unexpected", write(KWS / "performance" / "notes.txt")),
    Mutation("no picture of the energy", "files.energy-picture", _no_picture),
    Mutation("a marker too many", "files.eembc-marker", write(KWS / "EEMBC_RUNNER")),
    Mutation("two runners", "files.one-runner", _eembc, "v1.3"),
    Mutation("EEMBC's runner in v1.4", "files.runner-allowed", _eembc),
    Mutation("no description", "system.description", remove(SYSTEM)),
    Mutation("a description of another name", "system.file-name", rename(SYSTEM, "BOARD-A.json")),
    Mutation("a description too many", "system.without-results", write(SYSTEM.with_name("BOARD_C.json"), '{"Status": "available"}')),
    Mutation("a missing comma", "system.json", edit(SYSTEM, r'",\n "SoC Name"', '"\n "SoC Name"')),
    Mutation("a description in Latin-1", "system.json", _recoded(SYSTEM, "latin-1", swap=("none", "\u00b5"))),
    Mutation("a description that is a list", "system.json", write(SYSTEM, "[]")),
    Mutation("a key twice", "system.duplicate-key", _twice(SYSTEM, "Inference Framework", "")),
    Mutation("an unknown status", "system.status", system(lambda d: d.update(Status="shipping"))),
    Mutation("no status", "system.status", system(lambda d: d.pop("Status"))),
    Mutation("a key of MLPerf Inference", "system.type", system(lambda d: d.update(system_type="edge"))),
    Mutation("no framework", "system.incomplete", system(lambda d: d.update({"Inference Framework": ""}))),
    Mutation("no compiler", "system.sparse", system(lambda d: d.update({"General Compiler(s)": ""}))),
    Mutation("another organisation", "system.submitter", system(lambda d: d.update(Submitter="Somebody Else"))),
    Mutation("a division that is none", "system.place", system(lambda d: d.update(Division="half-open"))),
    Mutation("the other division", "system.place", system(lambda d: d.update(Division="open"))),
    Mutation("no top-1", "claims.missing", edit(KWS / "accuracy" / "results.txt", r".*Top 1%.*\n", "")),
    Mutation("no median throughput", "claims.missing", edit(KWS / "performance" / "results.txt", r".*Median.*\n", "")),
    Mutation("no median energy", "claims.missing", edit(IC / "energy" / "results.txt", r".*Median.*\n", "")),
    Mutation("no detections", "claims.missing", _streaming(said=(r"\d+ True", "-1 True"))),
    Mutation("Top-1 at the line's start", "claims.spelling", edit(KWS / "accuracy" / "results.txt", r".*Top 1% = ", "Top-1: ")),
    Mutation("a better accuracy", "claims.mismatch", edit(KWS / "accuracy" / "results.txt", r"Top 1% = \S+", "Top 1% = 99.9")),
    Mutation("a better throughput", "claims.mismatch", edit(KWS / "performance" / "results.txt", r"is\s+\d+", "is   29")),
    Mutation("a better energy", "claims.mismatch", edit(KWS / "energy" / "results.txt", r"cost is \d", "cost is 1")),
    Mutation("a median that is none", "claims.median", edit(KWS / "performance" / "results.txt", r"is\s+\d+", "is   29")),
    Mutation("no evidence of energy", "claims.unverifiable", _no_samples),
    Mutation("a block twice", "claims.repeated", _doubled(KWS / "performance" / "results.txt")),
    Mutation("below the target", "claims.quality-target", session(KWS / "accuracy", maker.accuracy, wrong=12)),
    Mutation("too many false positives", "claims.quality-target", _streaming(false=9)),
    Mutation("better detections than the log's", "claims.mismatch", _streaming(said=("3 False positives", "1 False positives"))),
    Mutation("an open result below the target", "claims.open-below-target", _open),
    Mutation("51 wakewords", "claims.sww-total", _streaming(said=("46 True", "47 True"))),
    Mutation("short windows", "windows.too-short", session(KWS / "performance", maker.performance, seconds=9.9)),
    Mutation("short energy windows", "windows.too-short", session(KWS / "energy", maker.energy, seconds=5.0)),
    Mutation("few inferences", "windows.too-few-inferences", session(KWS / "performance", maker.performance, iterations=9)),
    Mutation("four windows", "windows.count", session(KWS / "performance", maker.performance, windows=4)),
    Mutation("one input twice", "windows.inputs", _files(KWS / "performance", "tst_000001_Word_1", "tst_000000_Word_0")),
    Mutation("a log of another session", "windows.other-session", _other_log),
    Mutation("a lost time stamp", "windows.time-stamps", _eembc_energy(10), "v1.3"),
    Mutation("an energy run at half the speed", "windows.energy-speed", session(KWS / "energy", maker.energy, iterations=120)),
    Mutation("a device's clock that is slow", "windows.host-clock", _slow_host, "v1.3"),
    Mutation("energy of half the recording", "windows.recording", _streaming("energy", seconds=600.0)),
    Mutation(
        "another energy window",
        "windows.energy-printed",
        edit(KWS / "energy" / "results.txt", r"Inf    : \d", "Inf    : 1", 1),
    ),
    Mutation("the runner complains", "windows.runner-complaint", _complaint, "v1.3"),
    Mutation(
        "the old list of images",
        "data.old-list",
        session(IC / "accuracy", maker.accuracy, "ic", names=[f"old_s_{n:06}.bin" for n in range(24)]),
    ),
    Mutation("an input of the old list", "data.old-inputs", _files(IC / "performance", "airplane_s_000000", "lippizaner_s_000613")),
    Mutation("unknown files", "data.unknown-files", _names("kws", lambda names: [*names[:-2], "a_0.bin", "b_1.bin"])),
    Mutation("another input", "data.inputs", _files(KWS / "performance", "tst_000001_Word_1", "tst_000099_Word_1")),
    Mutation("another class", "data.classes", record(KWS / "accuracy", lambda entries: entries[3].update({"class": "7"}))),
    Mutation("half of the files", "data.coverage", _names("kws", lambda names: names[:12])),
    Mutation("a file without all segments", "data.coverage", _half_a_file),
    Mutation("a file twice", "data.repeated-files", _names("kws", lambda names: [*names, names[0]])),
    Mutation("a script without anomalies", "data.script", _script_without_anomalies),
    Mutation("this project's samples", "data.embedded", _files(KWS / "accuracy", "tst_", "emb_")),
    Mutation("an accuracy of 101 %", "values.impossible", edit(KWS / "accuracy" / "results.txt", r"Top 1% = \S+", "Top 1% = 101.0")),
    Mutation("a kilowatt", "values.power", _watts(1e3)),
    Mutation("a clock that goes back", "values.clock", _clock, "v1.3"),
    Mutation("copied windows", "values.identical-windows", _copied),
    Mutation("a vector too wide", "values.vector-width", _wide),
    Mutation("equal answers", "values.constant", _constant),
    Mutation(
        "another answer in the energy run", "values.same-answer", record(KWS / "energy", lambda e: e[2]["infer"]["results"].reverse())
    ),
    Mutation("another answer in the accuracy run", "values.other-answer", session(KWS / "accuracy", maker.accuracy, wrong=24)),
    Mutation("one-hot vectors", "values.style", _one_hot),
    Mutation("exactly on the target", "values.on-the-target", edit(KWS / "accuracy" / "results.txt", r"Top 1% = \S+", "Top 1% = 90.0")),
    Mutation("simulated", "evidence.simulated", session(KWS / "performance", maker.performance, simulated="virtual board")),
    Mutation("open results", "evidence.open-division", session(KWS / "performance", maker.performance, open_division="9 channels removed")),
    Mutation("open firmware", "evidence.open-division", write(SUBMITTER / "code" / "kws" / "firmware.json", '{"division": "open"}')),
    Mutation("a log's tail", "evidence.truncated", _cut(KWS / "accuracy" / "log.txt")),
    Mutation("an empty log", "evidence.truncated", write(KWS / "accuracy" / "log.txt", "")),
    Mutation("a log without inferences", "evidence.no-measurement", _no_inferences),
    Mutation("no samples", "evidence.trace-missing", _no_samples),
    Mutation("no trace", "evidence.trace-missing", _eembc_energy(0), "v1.3"),
    Mutation("one log for two systems", "evidence.duplicate", _second_system),
    Mutation("the log of another benchmark", "evidence.model", edit(KWS / "accuracy" / "log.txt", "kws01", "ic01")),
    Mutation("an empty record", "record.form", write(KWS / "performance" / "results.json", "[]")),
    Mutation("half a record", "record.form", record(KWS / "performance", lambda entries: entries[2].pop("infer"))),
    Mutation("a number that is none", "record.form", edit(KWS / "energy" / "results.json", r"5e-05", "NaN", 1)),
    Mutation("a speed that is none", "record.sums", record(KWS / "performance", lambda e: e[1]["infer"].update(throughput=99.0))),
    Mutation("a voltage that changes", "record.sums", record(KWS / "energy", lambda entries: entries[3]["power"].update(voltage=1.8))),
    Mutation("other warm-ups", "record.log", edit(KWS / "performance" / "log.txt", "with 10/240", "with 11/240", 1)),
    Mutation("another window printed", "record.results", edit(KWS / "performance" / "results.txt", r": 10\.5001", ": 10.4001", 1)),
    Mutation("another summary", "record.summary", edit(KWS / "accuracy" / "log.txt", r"AUC = 0\.", "AUC = 1.")),
    Mutation("two voltages", "evidence.one-voltage", session(KWS / "energy", maker.energy, volts=1.8)),
    Mutation("no model in the log", "evidence.identity", edit(KWS / "accuracy" / "log.txt", "Device model retrieved: kws01\n", "")),
    Mutation("two profiles", "evidence.one-device", edit(KWS / "energy" / "log.txt", r"V0\.0\.1", "V0.0.2")),
    Mutation("two devices", "evidence.one-device", edit(KWS / "accuracy" / "log.txt", "name retrieved: board", "name retrieved: other")),
)
