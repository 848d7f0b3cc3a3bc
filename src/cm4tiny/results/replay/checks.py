# SPDX-License-Identifier: Apache-2.0
"""Sets each claim of a session next to its recomputation.

A claim matches if the recomputed value, printed as the runner prints it, is the claimed number. A session with a doubt (files of the
session that contradict each other, windows without a length, a log that lacks files) never gets a "match": an agreement that the evidence
does not support is "unverifiable". Causes are in the words of ``docs/replay.md``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

import numpy as np

from cm4tiny.benchmarks import metrics
from cm4tiny.results.replay import formulas
from cm4tiny.results.rounds.labels import Identified, LabelLists
from cm4tiny.results.rounds.model import Check, LoggedSession, ModeFiles, Printed, ResultDir, Scores, Status
from cm4tiny.results.rounds.read import DIFFER
from cm4tiny.results.rounds.table import judged_as

SHORTEST_S = 10.0
SINGLE_CLASS = "vector has {width} entries, only {classes} classes occur (mean over those)"


ROUNDING = 1e-12
"""How far two ways of adding up the same numbers may differ, relative to the sum."""


def _printed_as(form: str, value: float, claimed: str = "") -> str:
    """A value as the runner prints it; empty if it is not a number.

    A value in the middle between two printed ones is printed as the claim has it: numpy and ``math.fsum`` fall on different sides there.
    """
    if not math.isfinite(value):
        return ""
    either = [format(value * (1 + shift), form) for shift in (0, -ROUNDING, ROUNDING)]
    return claimed if claimed in either else either[0]


_TOO_LONG = "the session is longer than any real one and was not read to its end"


@dataclass(frozen=True)
class _Claim:
    """A claim and what became of its recomputation.

    Attributes:
        recomputed: as the runner would print it, empty if it cannot be recomputed.
        causes: to be reported whatever the outcome.
        why_not: why it cannot be recomputed.
        doubts: why an agreement would prove nothing.
        confirmed: False if no session with a known outcome confirms the formula: a difference then proves nothing.
    """

    metric: str
    claimed: str
    recomputed: str
    causes: tuple[str, ...] = ()
    why_not: str = ""
    doubts: tuple[str, ...] = ()
    confirmed: bool = True


def agreement(claimed: str, recomputed: str) -> str:
    """How two printed figures agree: ``equal``, ``coarse`` or ``different``.

    ``"85.0"`` and ``"85.0"`` are equal; ``"85"`` agrees with ``"85.0"`` or ``"85.4"`` only coarsely: the runner prints more digits, so the
    claim was cut or rounded.
    """
    try:
        claim, value = Decimal(claimed), Decimal(recomputed)
    except InvalidOperation:
        return "equal" if claimed == recomputed else "different"
    if not claim.is_finite() or not value.is_finite():
        return "different"
    if _decimals(claimed) >= _decimals(recomputed):
        return "equal" if claim == value else "different"
    return "coarse" if round(value, _decimals(claimed)) == claim else "different"


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _judge(claim: _Claim) -> tuple[Status, tuple[str, ...]]:
    """Status and causes."""
    if not claim.recomputed:
        return "unverifiable", (*claim.causes, claim.why_not)
    causes = (*claim.causes, *claim.doubts)
    if not claim.claimed:
        return "no-claim", causes
    agrees = agreement(claim.claimed, claim.recomputed)
    if agrees == "coarse":
        return "unverifiable", (*causes, "the claim has fewer digits than the runner prints")
    if agrees == "equal":
        return ("unverifiable" if claim.doubts else "match"), causes
    if not claim.confirmed:
        return "unverifiable", (*causes, "the runner's formula is not confirmed by any session")
    return "mismatch", causes


def check_session(result: ResultDir, files: ModeFiles, session: LoggedSession, lists: LabelLists) -> tuple[Check, ...]:
    """A check for every claim that a session of this kind makes, in the order of ``replay.csv``."""
    if result.benchmark == "sww":
        claims = _streaming(files, session, lists)
    elif files.mode == "accuracy":
        claims = _accuracy(result, files, session, lists)
    elif files.mode == "performance":
        claims = _performance(result, files, session)
    else:
        claims = _energy(files, session)
    found = []
    for claim in claims:
        if session.truncated:  # a part of the log gives another figure than the whole
            claim = replace(claim, recomputed="", why_not=_TOO_LONG)
        status, causes = _judge(claim)
        row = (result.round.id, files.folder, result.benchmark, files.folder_name, session.runner, claim.metric)
        found.append(Check(*row, claim.claimed, claim.recomputed, status, "; ".join(dict.fromkeys(cause for cause in causes if cause))))
    return tuple(found)


def _printed(session: LoggedSession) -> Printed:
    return session.printed or Printed()


def _general(session: LoggedSession, files: ModeFiles) -> list[str]:
    found = []
    if session.printed is None and files.results is None:
        found.append("no results file submitted")
    if session.simulated:
        found.append("the session says that its numbers are simulated")
    return found


def _doubts(session: LoggedSession) -> list[str]:
    return [note for note in session.notes if note == DIFFER]


def _missing(files: ModeFiles, role: str, name: str) -> str:
    if files.lacks(role, pointers=True):
        return f"{name} is a Git LFS pointer in this copy (git lfs pull)"
    return f"{name} not in this copy (large file)" if files.lacks(role) else f"{name} not submitted"


def _short(lengths: Sequence[float]) -> list[str]:
    return ["window <10 s"] if any(length < SHORTEST_S for length in lengths) else []


# --- performance --------------------------------------------------------------------------------------------------------------
def _performance(result: ResultDir, files: ModeFiles, session: LoggedSession) -> Iterator[_Claim]:
    printed = _printed(session)
    causes = _general(session, files) + _short([w.runtime_s for w in session.windows if w.runtime_s is not None])
    doubts = _doubts(session)
    claimed = printed.throughput
    listed = len(printed.windows) // max(1, printed.repeats)
    if not claimed and listed == 1 and len(session.windows) == 1:
        claimed = printed.windows[0].throughput
        causes.append("no Median line, 1 window")
    elif session.printed and not claimed:
        causes.append("results.txt has no median")
    if session.printed and listed and len(session.windows) != listed:
        windows = f"{len(session.windows)} window{'' if len(session.windows) == 1 else 's'}"
        if session.run_mode == "single" and len(session.windows) == 1:
            causes.append(f"log.txt is a later single-run session (runMode=single): {windows}, results.txt has {listed}")
        else:
            doubts.append(f"the session has {windows}, results.txt has {listed}")
    if printed.repeats > 1:
        causes.append(f"results.txt repeats block x{printed.repeats}")
    yield _Claim(
        metric="throughput",
        claimed=claimed,
        recomputed=_printed_as(".3f", formulas.throughput(session.windows), claimed),
        causes=tuple(causes),
        why_not=_no_windows(files, session, "performance log"),
        doubts=tuple(doubts),
    )


def _no_windows(files: ModeFiles, session: LoggedSession, log: str) -> str:
    if files.log is None and files.json is None:
        return _missing(files, "log", log)
    lost = sum(window.throughput is None for window in session.windows)
    return f"{lost} of {len(session.windows)} windows without a length" if session.windows else "the log has no windows"


# --- accuracy -----------------------------------------------------------------------------------------------------------------
def _accuracy(result: ResultDir, files: ModeFiles, session: LoggedSession, lists: LabelLists) -> Iterator[_Claim]:
    printed = _printed(session)
    top_1 = auc = math.nan
    causes, auc_causes, why_not, doubts = _general(session, files), [], "", _doubts(session)
    scores = session.scores
    if scores is None or not scores.files:
        why_not = _missing(files, "log", "accuracy log") if files.log is None else "the log has no results"
        causes = [cause for cause in causes if cause != "no results file submitted"]
    else:
        accepted = result.round.label_lists.get(result.benchmark, ())
        found = lists.identify(judged_as(result.benchmark), scores.files, accepted)
        known = found.labels >= 0
        why_not = _unknown_labels(found, scores)
        if not why_not and known.any():
            top_1, auc = _accuracies(session, scores, found)
            wide = len(np.unique(found.labels)) if 1 < scores.width != len(np.unique(found.labels)) else 0
            auc_causes = [SINGLE_CLASS.format(width=scores.width, classes=wide)] if wide else []
            if not found.complete:
                causes.append(f"log truncated: {len(scores.files)} of {found.files} files")
                doubts.append(causes[-1])
            elif found.list_id not in accepted:
                causes.append(f"uses {found.title} file list")
    if any(record.kind == "file-again" for record in session.tolerated):
        doubts.append("the log has a file more than once")
    confirmed = result.benchmark != "ad" or session.runner == "mlc"
    for metric, claimed, value, form, more in (
        ("top-1", printed.top_1, top_1, ".1f", []),
        ("auc", printed.auc, auc, ".3f" if session.runner == "mlc" else ".2f", auc_causes),
    ):
        missing = ["results.txt has no such line"] if session.printed and not claimed else []
        every = (*causes, *more, *missing)
        yield _Claim(metric, claimed, _printed_as(form, value, claimed), every, why_not, tuple(doubts), confirmed)


def _unknown_labels(found: Identified, scores: Scores) -> str:
    """Why the classes of the session's files are not known, or nothing."""
    if not found.list_id:
        return "the round has no label list for this benchmark"
    lost = int((found.labels < 0).sum())
    if not lost:
        return ""
    data_set = found.list_id.split("-")[0]
    if found.complete:
        return f"the labels of {data_set} are not available"
    prefix = _common_prefix(found.unknown).rstrip("0123456789")
    names = f"{lost} {prefix}* files" if prefix else f"{lost} of {len(scores.files)} files"
    return f"{names}, not in {data_set}/y_labels.csv"


def _common_prefix(names: Sequence[str]) -> str:
    first, last = min(names, default=""), max(names, default="")
    same = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]


def _accuracies(session: LoggedSession, scores: Scores, found: Identified) -> tuple[float, float]:
    labels = found.labels
    if scores.width == 1:
        auc = metrics.auc if session.runner == "mlc" else metrics.eembc_auc
        return metrics.anomaly_top_1(scores.values, labels), auc(scores.values, labels)
    if int(labels.max()) >= scores.width:
        return math.nan, math.nan
    if session.runner == "mlc":
        normalised = np.array([metrics.normalised(row) for row in scores.values.tolist()])
        return metrics.top_1(normalised, labels), metrics.auc(normalised, labels)
    return metrics.top_1(scores.values, labels), metrics.eembc_auc(scores.values, labels)


# --- energy -------------------------------------------------------------------------------------------------------------------
def _energy(files: ModeFiles, session: LoggedSession) -> Iterator[_Claim]:
    printed = _printed(session)
    causes = [f"directory is named {files.folder_name}/"] if files.folder_name != "energy" else []
    causes += _general(session, files)
    lengths = [window.runtime_s for window in session.energy] or [float(w.runtime) for w in printed.energy_windows if w.runtime]
    causes += _short(lengths)
    doubts = _doubts(session)
    if session.energy and len(session.energy) % 2 == 0:
        causes.append(f"{len(session.timestamps_s)} timestamps, {len(session.energy)} windows -> even-count median")
    if printed.energy_windows and session.energy and len(printed.energy_windows) != len(session.energy):
        doubts.append(f"the samples have {len(session.energy)} windows, results.txt has {len(printed.energy_windows)}")
    doubts += [note for note in session.notes if note == "time stamps reach beyond the trace"]
    value = _printed_as(".4f" if session.runner == "mlc" else ".3f", formulas.energy(session.energy), printed.energy)
    yield _Claim("energy", printed.energy, value, tuple(causes), _no_energy(files, session), tuple(doubts))
    if session.runner == "eembc" and session.energy and printed.throughput:
        speed = _printed_as(".3f", formulas.energy_run_throughput(session.energy), printed.throughput)
        yield _Claim("throughput(energy run)", printed.throughput, speed, tuple(causes), "windows without a length", tuple(doubts))


def _no_energy(files: ModeFiles, session: LoggedSession) -> str:
    if session.runner == "mlc":
        if files.json is None:
            return _missing(files, "json", "energy/results.json")
        return "; ".join(session.notes) or "results.json holds no samples between time stamps"
    if files.trace is None:
        return "trace1-energy.bin absent from this copy" if files.lacks("trace") else "trace not submitted"
    if session.energy:
        return "the windows' inferences are not known"
    return "; ".join(session.notes) or "no time stamps in the trace"


# --- streaming wakeword -------------------------------------------------------------------------------------------------------
def _streaming(files: ModeFiles, session: LoggedSession, lists: LabelLists) -> Iterator[_Claim]:
    printed, streaming = _printed(session), session.streaming
    causes, doubts = tuple(_general(session, files)), tuple(_doubts(session))
    words = lists.windows.get("sww01", ())
    counts = formulas.detections(streaming.detections_ms, words) if streaming and words else ()
    claimed = "/".join(part.split()[0] for part in printed.detections.split(", ")) if printed.detections else ""
    why_not = "the session has no detections" if words else "the list of spoken words (sww01) is not available"
    yield _Claim("TP/FN/FP", claimed, "/".join(map(str, counts)), causes, why_not, doubts)
    speed = formulas.streaming_throughput(streaming.on_s, streaming.off_s) if streaming else math.nan
    speed_causes = causes
    if streaming and streaming.source == "log.txt" and math.isfinite(speed):
        speed_causes = (*causes, "from RX: lines in log")
    absent = files.lacks("json")
    no_times = f"{'energy/results.json absent from this copy' if absent else 'results.json not submitted'}; log has no duty-cycle times"
    why_not = no_times if files.json is None else "no duty-cycle times in results.json"
    yield _Claim("sww throughput", printed.sww_throughput, _printed_as("1.5", speed, printed.sww_throughput), speed_causes, why_not, doubts)
    if files.mode == "energy":
        power = streaming.power_mw if streaming and streaming.power_mw is not None else math.nan
        no_samples = "samples only in energy/results.json, absent from this copy" if absent else "no samples submitted"
        why_not = no_samples if files.json is None else "no samples in results.json"
        yield _Claim("sww power", printed.power_mw, _printed_as(".4f", power, printed.power_mw), causes, why_not, doubts)
