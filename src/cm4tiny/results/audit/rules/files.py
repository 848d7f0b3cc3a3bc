# SPDX-License-Identifier: Apache-2.0
"""Rules on the files of a session."""

from __future__ import annotations

from collections.abc import Iterator

from cm4tiny.fetch.lfs import LARGEST_POINTER, NOTE, is_pointer
from cm4tiny.results.audit.rule import Violation, rule
from cm4tiny.results.audit.views import ResultView, SessionView, Submitter, some

_ADOC = "directory_structure.adoc, mandatory files"
_CHECKER = "submission_checker.py"
_MISMATCH = f"{_CHECKER}: file list mismatch (an error line, but no refusal)"
_PLAIN = {"log.txt", "results.txt", "results.json", "script.async"}
_TRACES = {"trace1-energy.bin", "trace1-timestamps.json", "profile.bin"}


def _prefixed(name: str, plain: str) -> bool:
    return name.endswith(plain)


@rule(
    "files.results",
    "Each session has its results.txt",
    severity="error",
    scope="session",
    source=f"{_ADOC}; {_CHECKER}: has no results.txt",
    why="Without it there is no claim. v0.5 was accepted without; the figures of its tables come from the logs.",
    warning_before=(0, 7),
)
def results(view: SessionView) -> Iterator[Violation]:
    if view.files.results is None and not any(_prefixed(name, "results.txt") for name in view.files.missing):
        yield Violation(view.path, "no results.txt")


@rule(
    "files.log",
    "Each session has its log.txt",
    severity="error",
    scope="session",
    source=f"{_ADOC}; {_MISMATCH}",
    why="The log is the evidence. The official checker accepts a session without one.",
)
def log(view: SessionView) -> Iterator[Violation]:
    if view.files.log is None and not view.files.lacks("log"):
        yield Violation(view.path, "no log.txt")


@rule(
    "files.json",
    "Sessions of the MLCommons runner have their results.json",
    severity="error",
    scope="session",
    source=f"{_ADOC}; {_CHECKER} treats it as optional",
    why="It holds the exact values; the log rounds times to milliseconds.",
    since=(1, 3),
    warning_before=(1, 4),
)
def json(view: SessionView) -> Iterator[Violation]:
    if view.session.runner == "mlc" and view.files.json is None and not view.files.lacks("json"):
        yield Violation(view.path, "no results.json")


@rule(
    "files.script",
    "Sessions of the EEMBC runner have their script.async",
    severity="error",
    scope="session",
    source=f"{_ADOC}; {_MISMATCH}",
    why="It says which inputs the runner was configured to send.",
    warning_before=(1, 3),
)
def script(view: SessionView) -> Iterator[Violation]:
    absent = view.files.script is None and not any("script" in name for name in view.files.missing)
    if view.session.runner == "eembc" and absent:
        yield Violation(view.path, "no script.async")


@rule(
    "files.lfs-pointer",
    "Files are there, not pointers to them",
    severity="error",
    scope="submitter",
    source="Git LFS specification, The Pointer; mlcommons/tiny_results_*: large files of some rounds are kept there",
    why="A clone without Git LFS holds a text of 130 bytes in place of a log. It is not a short log: the file itself must be fetched.",
)
def lfs_pointer(submitter: Submitter) -> Iterator[Violation]:
    small = [path for path, size in submitter.entries.files.items() if size <= LARGEST_POINTER]
    for path in small:
        if is_pointer(submitter.tree.root / path):
            yield Violation(path, NOTE)


@rule(
    "files.encoding",
    "Logs and results are text in ASCII or UTF-8",
    severity="error",
    scope="session",
    source=f"{_CHECKER} reads UTF-8 and crashes on anything else; no runner writes UTF-16, NUL bytes or a byte-order mark",
    why="A file that another program saved again is not the file that the runner wrote: tools read something else in it, or nothing.",
    warning_before=(1, 4),
)
def encoding(view: SessionView) -> Iterator[Violation]:
    words = {"byte-order-mark": "a byte-order mark", "nul": "NUL bytes", "not-utf-8": "bytes that are not UTF-8"}
    found = [f"{one.file} holds {words[one.kind]}" for one in view.session.tolerated if one.kind in words]
    if found:
        yield Violation(view.path, some(found))


@rule(
    "files.unexpected",
    "A session's folder holds nothing else",
    severity="warning",
    scope="session",
    source=_MISMATCH,
    why="Other files are forgotten ones, or those of another session.",
    since=(1, 3),
)
def unexpected(view: SessionView) -> Iterator[Violation]:
    allowed = _PLAIN | _TRACES | {"EEMBC_RUNNER", ".gitkeep"}
    odd = [name for name in view.names if name not in allowed and not (name.startswith("energy_inf_") and name.endswith(".png"))]
    if view.session.runner == "mlc" and "script.async" in view.names:
        odd.append("script.async")
    if odd:
        yield Violation(view.path, f"unexpected: {some(odd)}")


@rule(
    "files.energy-picture",
    "Energy sessions of the MLCommons runner have their pictures",
    severity="warning",
    scope="session",
    source=f"{_CHECKER}: energy_inf_000.png (asked for streaming wakeword only)",
    why="The runner draws one for each trial; this project's runner does not (docs/session-format.md).",
    since=(1, 3),
    whole=True,
)
def energy_picture(view: SessionView) -> Iterator[Violation]:
    needed = view.mode == "energy" and view.benchmark == "sww" and view.session.runner != "eembc"
    if needed and "energy_inf_000.png" not in view.names:
        yield Violation(view.path, "no energy_inf_000.png")


@rule(
    "files.eembc-marker",
    "The file EEMBC_RUNNER marks a benchmark that the EEMBC runner measured, and no other",
    severity="error",
    scope="result",
    source=f"{_ADOC}; {_CHECKER}: EEMBC_RUNNER in the benchmark's folder",
    why="The official checker decides by it which files it wants.",
    since=(1, 3),
)
def eembc_marker(view: ResultView) -> Iterator[Violation]:
    runners = {session.session.runner for session in view.sessions} - {""}
    if runners == {"eembc"} and not view.result.marker:
        yield Violation(view.result.benchmark_path, "sessions of the EEMBC runner without the marker")
    if "mlc" in runners and view.result.marker:
        yield Violation(view.result.benchmark_path, "the marker, but sessions of the MLCommons runner")


@rule(
    "files.one-runner",
    "One runner measures all of a result",
    severity="warning",
    scope="result",
    source="MLPerfTiny_Rules.adoc, Benchmark Runner: the same code for accuracy and performance",
    why="Sessions of two runners come from two set-ups.",
)
def one_runner(view: ResultView) -> Iterator[Violation]:
    runners = sorted({session.session.runner for session in view.sessions} - {""})
    if len(runners) > 1:
        yield Violation(view.result.path, f"sessions of {' and '.join(runners)}")


@rule(
    "files.runner-allowed",
    "The runner is one that the round allows",
    severity="error",
    scope="session",
    source="MLPerfTiny_Rules.adoc, Benchmark Runner: EEMBC's for the last time in summer 2025, never for streaming wakeword",
    why="The official checker still accepts it when the marker is there.",
)
def runner_allowed(view: SessionView) -> Iterator[Violation]:
    runner, round = view.session.runner, view.of.result.round
    names = {"eembc": "EEMBC's runner", "mlc": "the MLCommons runner"}
    if runner and (runner not in round.runners or (runner == "eembc" and view.benchmark == "sww")):
        yield Violation(view.path, f"{names[runner]} in {round.id} {view.benchmark}")
