# SPDX-License-Identifier: Apache-2.0
"""Rules on the evidence: that it is there, whole, of this system, measured, and used once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from cm4tiny.firmware.division import SESSION_MARK
from cm4tiny.results.audit.rule import Violation, rule
from cm4tiny.results.audit.views import Corpus, ResultView, SessionView, Submitter, SystemView, number, some

_SMALLEST_LOG = 200
_VOLTAGES_AGREE = 0.02  # some monitors measure it
_SIMULATED = re.compile(r"^SIMULATED:", re.MULTILINE)
_OPEN = re.compile(rf"^{SESSION_MARK}:", re.MULTILINE)
_LARGEST_RECORD = 1 << 24


@rule(
    "evidence.simulated",
    "Results are measured on hardware",
    severity="error",
    scope="session",
    source="MLPerfTiny_Rules.adoc, Overview: measure the performance of an ML system; docs/session-format.md",
    why="A virtual board's or a simulated monitor's figures are predictions.",
)
def simulated(view: SessionView) -> Iterator[Violation]:
    session = view.session
    if session.simulated or (session.printed is not None and session.printed.simulated) or _SIMULATED.search(view.results_text):
        yield Violation(view.path, "the session says that it is simulated")


@rule(
    "evidence.open-division",
    "The closed division holds nothing that says it belongs to the open one",
    severity="error",
    scope="submitter",
    source="MLPerfTiny_Rules.adoc, Model Equivalence: discarding non-zero weight elements is disallowed; docs/closed-division.md",
    why="The firmware that was measured leaves out weights that are not zero. Its answers may be bit-exact; its speed is an open one.",
)
def open_division(submitter: Submitter) -> Iterator[Violation]:
    if submitter.division != "closed":
        return
    for result in submitter.results:
        for view in result.sessions:
            if _OPEN.search(view.results_text):
                yield Violation(view.path, "the session says that it belongs to the open division")
    for path, size in submitter.entries.files.items():
        is_record = path.startswith(f"{submitter.path}/code/") and path.endswith("/firmware.json") and size <= _LARGEST_RECORD
        if is_record and _names_open(submitter.tree.root / path):
            yield Violation(path, "the firmware's record says that it belongs to the open division")


def _names_open(record: Path) -> bool:
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("division") == "open"


@rule(
    "evidence.truncated",
    "A log holds its whole session",
    severity="error",
    scope="session",
    source="tiny_results_v0.7: closed/plumerai/results/DISCO_F746NG/kws/accuracy/accuracy_log.txt (a console's tail: 23 of 1000 files)",
    why="What is missing cannot be checked.",
)
def truncated(view: SessionView) -> Iterator[Violation]:
    session = view.session
    if view.files.log is None:
        return
    if session.truncated:
        yield Violation(view.path, "reading the log stopped at a limit")
    elif session.log_bytes < _SMALLEST_LOG:
        yield Violation(view.path, f"a log of {session.log_bytes} bytes")
    elif not session.begun:
        yield Violation(view.path, "the log lacks its beginning")
    elif session.runner == "eembc" and not session.ended:
        yield Violation(view.path, "the log lacks its end")


@rule(
    "evidence.no-measurement",
    "A log holds the session's inferences",
    severity="error",
    scope="session",
    source="MLPerfTiny_Rules.adoc, Replicability is mandatory; docs/audit.md",
    why="A log without inferences is none.",
)
def no_measurement(view: SessionView) -> Iterator[Violation]:
    session = view.session
    if view.files.log is None or view.benchmark == "sww":
        return
    empty = not session.windows if view.mode != "accuracy" else (session.scores is None or not session.scores.files)
    if empty and not session.infers:
        yield Violation(view.path, "no inference in the log")


@rule(
    "evidence.trace-missing",
    "Energy comes with its trace",
    severity="error",
    scope="session",
    source="tiny_results_v0.7: closed/renesas/results/EK-RA6M4/kws/energy (no trace files)",
    why="Energy is a sum over samples: without them it is a number on paper. Rounds v0.7 and v1.0 accepted it.",
    warning_before=(1, 3),
)
def trace_missing(view: SessionView) -> Iterator[Violation]:
    if view.mode != "energy":
        return
    files, session = view.files, view.session
    if session.runner == "mlc":
        if files.json is not None and not session.energy and session.streaming is None:
            yield Violation(view.path, "results.json holds no samples")
        return
    absent = [
        name
        for name, path, role in (("samples", files.trace, "trace"), ("time stamps", files.timestamps, ""))
        if path is None and not (role and files.lacks(role))
    ]
    if absent:
        yield Violation(view.path, f"no file with {' and '.join(absent)}")


@rule(
    "evidence.not-in-copy",
    "This copy holds all evidence of the round",
    severity="note",
    scope="session",
    source="docs/replay.md: copies of the rounds without files of more than 4 MiB",
    why="The public repository has the file; a full clone lets the claim be computed.",
)
def not_in_copy(view: SessionView) -> Iterator[Violation]:
    for name in view.files.missing:
        yield Violation(view.path, f"{name} is not in this copy")


def _same_logs(corpus: Corpus) -> Iterator[tuple[SessionView, list[SessionView]]]:
    """Each session whose log has the same bytes as others, with those others."""
    seen: dict[str, list[SessionView]] = {}
    for tree in corpus.trees:
        for result in tree.results:
            for session in result.sessions:
                digest = session.session.sha256.get("log", "")
                if digest and session.session.log_bytes >= _SMALLEST_LOG:
                    seen.setdefault(digest, []).append(session)
    for views in seen.values():
        for view in views:
            if len(views) > 1:
                yield view, [other for other in views if other is not view]


def _round(view: SessionView) -> str:
    return view.of.result.round.id


def _places(views: list[SessionView]) -> tuple[str, ...]:
    return tuple(f"{_round(view)}:{view.path}" for view in views)


@rule(
    "evidence.duplicate",
    "A log is the evidence of one result",
    severity="error",
    scope="corpus",
    source="tiny_results_v1.0: closed/greenwaves-technologies/results/gap9_650_240/visual_wake_words/accuracy/log.txt "
    "(the same file for two clock frequencies)",
    why="Two systems cannot give the same microseconds: one of them was not measured.",
)
def duplicate(corpus: Corpus) -> Iterator[Violation]:
    for view, others in _same_logs(corpus):
        same = [other for other in others if _round(other) == _round(view)]
        if same:
            yield Violation(view.path, f"the log is byte for byte that of {same[0].path}", _places(same), _round(view))


@rule(
    "evidence.resubmitted",
    "A log is of its own round",
    severity="warning",
    scope="corpus",
    source="tiny_results_v1.3: closed/syntiant/results/syntiant_9120_1v1_98mhz/kws/performance/log.txt (the same in v1.0 to v1.3)",
    why="The result is as old as its log. Seen only if the rounds are looked at together.",
)
def resubmitted(corpus: Corpus) -> Iterator[Violation]:
    for view, others in _same_logs(corpus):
        rounds = sorted({_round(other) for other in others} - {_round(view)})
        if rounds:
            elsewhere = [other for other in others if _round(other) != _round(view)]
            yield Violation(view.path, f"the log is byte for byte one of {' and '.join(rounds)}", _places(elsewhere), _round(view))


@rule(
    "evidence.model",
    "The device names the benchmark's model",
    severity="error",
    scope="session",
    source="DUT protocol: m-model-[...]",
    why="The log of another benchmark.",
)
def model(view: SessionView) -> Iterator[Violation]:
    row, named = view.facts, view.session.model
    if row is not None and named and named != row.model_id:
        yield Violation(view.path, f"the log is of {named}")


@rule(
    "evidence.one-voltage",
    "All energy sessions of a system are measured at one supply voltage",
    severity="error",
    scope="system",
    source="tiny_results_v1.1: closed/Krai/results/NUCLEO-L4R5ZI_X-CUBE-AI-7.3/ad/energy/log.txt (3.0 V: 1.6 times the energy of 1.8 V)",
    why="Energies at different voltages are those of different systems.",
    warning_before=(1, 4),
)
def one_voltage(view: SystemView) -> Iterator[Violation]:
    told = [(number(session.session.voltage_mv), session.path) for result in view.results for session in result.sessions]
    volts = sorted((value, path) for value, path in told if value)
    if volts and volts[-1][0] > volts[0][0] * (1 + _VOLTAGES_AGREE):
        yield Violation(view.path, some(f"{path} {value:g} mV" for value, path in (volts[0], volts[-1])))


@rule(
    "evidence.identity",
    "The log says which model and which profile answered",
    severity="error",
    scope="session",
    source="MLCommons runner device_under_test.py: get_model, get_profile; DUT protocol: m-model, m-profile",
    why="The runner asks before anything else, and does not start without an answer.",
    since=(1, 4),
)
def identity(view: SessionView) -> Iterator[Violation]:
    session = view.session
    absent = [name for name, text in (("model", session.model), ("profile", session.profile)) if not text]
    if view.files.log is not None and absent:
        yield Violation(view.path, f"no {' and no '.join(absent)} in the log")


@rule(
    "evidence.one-device",
    "All sessions of a result name the same device and the same profile",
    severity="error",
    scope="result",
    source="MLPerfTiny_Rules.adoc, Benchmark Runner: the same code for accuracy and performance",
    why="Another name or another version is another firmware, or another board.",
    warning_before=(1, 4),
)
def one_device(view: ResultView) -> Iterator[Violation]:
    for texts in ({s.mode: s.session.device for s in view.sessions}, {s.mode: s.session.profile for s in view.sessions}):
        named = {mode: text for mode, text in texts.items() if text}
        if len(set(named.values())) > 1:
            yield Violation(view.result.path, "; ".join(f"{mode}: {name}" for mode, name in named.items()))
