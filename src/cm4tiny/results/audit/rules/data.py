# SPDX-License-Identifier: Apache-2.0
"""Rules on the data sets: the right list, all of it, the right inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cm4tiny.results.audit.rule import Violation, rule
from cm4tiny.results.audit.views import ResultView, SessionView, some
from cm4tiny.results.conditions import EMBEDDED_PREFIX

if TYPE_CHECKING:
    from cm4tiny.results.rounds.labels import Identified

_RULES = "MLPerfTiny_Rules.adoc, Data Sets"
OLD_LISTS = {"ic01-v0.5"}
AD_SEGMENTS = 196


def _files(view: SessionView) -> tuple[str, ...]:
    scores = view.session.scores
    if scores is not None:
        return scores.files
    return tuple(dict.fromkeys(window.file for window in view.session.windows if window.file))


def _identified(view: SessionView, files: tuple[str, ...]) -> Identified | None:
    """The list of an accuracy run's files; None for other runs and for runs of this project's own samples."""
    if view.mode != "accuracy" or not files or view.benchmark == "sww" or not view.of.labels.lists_for(view.judged_as):
        return None
    if any(name.startswith(EMBEDDED_PREFIX) for name in files):
        return None
    return view.of.labels.identify(view.judged_as, files, view.accepted)


@rule(
    "data.old-list",
    "Image classification uses the round's list of 200 images",
    severity="error",
    scope="session",
    source="the list of ic01 changed with v0.7: https://github.com/mlcommons/tiny/commit/7a738cd",
    why=(
        "The old list is not balanced: 13 of the 18 accuracy runs that use it claim exactly the target of 85.0. "
        "EEMBC's runner kept the old list in its own copy, which is where it comes from."
    ),
)
def old_list(view: SessionView) -> Iterator[Violation]:
    found = _identified(view, _files(view))
    if found is not None and found.list_id in OLD_LISTS and found.list_id not in view.accepted:
        yield Violation(view.path, f"{len(_files(view))} files of the {found.title} list, not of {' or '.join(view.accepted)}")


@rule(
    "data.old-inputs",
    "Performance and energy runs use inputs of the round's list",
    severity="warning",
    scope="session",
    source=f"{_RULES}: a subset of the accuracy data set; the list of ic01 changed with v0.7: https://github.com/mlcommons/tiny/commit/7a738cd",
    why="The input does not change the time of a convolution, but it is not the one that the rules name.",
)
def old_inputs(view: SessionView) -> Iterator[Violation]:
    files = _files(view)
    if view.mode == "accuracy" or not files or view.benchmark == "sww":
        return
    accepted = {name for identity in view.accepted for name in view.of.labels.first(identity)}
    for identity in OLD_LISTS & set(view.of.labels.lists_for(view.judged_as)) - set(view.accepted):
        old = [name for name in files if name in view.of.labels.first(identity) and name not in accepted]
        if old:
            yield Violation(view.path, f"inputs of the list before v0.7: {some(old)}")


@rule(
    "data.unknown-files",
    "Inputs are those of the official lists",
    severity="error",
    scope="session",
    source=f"{_RULES}; tiny_results_v1.0: closed/greenwaves-technologies/results/gap9_650_240/visual_wake_words/accuracy/log.txt",
    why="An accuracy on other files says nothing about the benchmark's.",
)
def unknown_files(view: SessionView) -> Iterator[Violation]:
    files = _files(view)
    found = _identified(view, files)
    if found is not None and found.unknown:
        yield Violation(view.path, f"{len(found.unknown)} of {len(files)} files are not in {found.list_id}: {some(found.unknown, 3)}")


@rule(
    "data.coverage",
    "An accuracy run covers the whole list, each file once",
    severity="error",
    scope="session",
    source=f"{_RULES}: an accuracy data set; EEMBC runner: 'Not all of the inputs had an output result'",
    why="With files left out an accuracy can be anything.",
)
def coverage(view: SessionView) -> Iterator[Violation]:
    scores, files = view.session.scores, _files(view)
    found = _identified(view, files)
    if scores is None or found is None:
        return
    known = len(files) - len(found.unknown)
    if not found.complete and known < found.files:
        yield Violation(view.path, f"{known} of the {found.files} files of {found.list_id}")
    if view.benchmark == "ad":
        cut = [name for name, segments in zip(files, scores.segments, strict=True) if segments != AD_SEGMENTS]
        if cut:
            yield Violation(view.path, f"{len(cut)} files without all of their {AD_SEGMENTS} segments: {some(cut, 3)}")


@rule(
    "data.repeated-files",
    "No file is evaluated twice",
    severity="warning",
    scope="session",
    source=_RULES,
    why="Files that count twice move the accuracy.",
)
def repeated_files(view: SessionView) -> Iterator[Violation]:
    scores = view.session.scores
    if view.mode != "accuracy" or scores is None or view.benchmark == "ad" or not scores.files:
        return
    twice = [name for name, segments in zip(scores.files, scores.segments, strict=True) if segments > 1]
    if twice:
        yield Violation(view.path, f"{len(twice)} files more than once: {some(twice, 3)}")


@rule(
    "data.subset",
    "Anomaly detection runs on all 248 files, or since v1.2 on the 72 of y_labels_alt.csv",
    severity="note",
    scope="session",
    source="mlcommons/tiny evaluation/datasets/ad01/README.md",
    why="Both are allowed since v1.2; their AUCs differ in the third digit.",
)
def subset(view: SessionView) -> Iterator[Violation]:
    files = (_files(view) or tuple(_script_loads(view))) if view.benchmark == "ad" else ()
    found = _identified(view, files)
    if found is not None and found.list_id == "ad01-alt" and found.complete:
        yield Violation(view.path, f"the {len(files)} files of y_labels_alt.csv")


@rule(
    "data.script",
    "The script covers what is claimed",
    severity="error",
    scope="session",
    source="tiny_results_v0.7: closed/plumerai/results/DISCO_F746NG/ad/accuracy/accuracy_script.async (73 files without an anomaly)",
    why="Looked at where the log itself is not available. An AUC needs both kinds of files.",
)
def script(view: SessionView) -> Iterator[Violation]:
    has_scores = view.session.scores is not None and bool(view.session.scores.files)
    if view.mode != "accuracy" or view.benchmark != "ad" or has_scores:
        return
    loads = _script_loads(view)
    if not loads:
        return
    normal, anomalous = (sum(name.startswith(kind) for name in loads) for kind in ("normal", "anomaly"))
    cut = [name for name, count in loads.items() if count != AD_SEGMENTS]
    if not normal or not anomalous:
        message = f"{len(loads)} files: {normal} normal, {anomalous} anomalies"
        yield Violation(view.path, message + (f"; {cut[-1]} ends after {loads[cut[-1]]} of {AD_SEGMENTS} segments" if cut else ""))
        return
    found = _identified(view, tuple(loads))
    if found is not None and not found.complete:
        yield Violation(view.path, f"{len(loads) - len(found.unknown)} of the {found.files} files of {found.list_id}")


def _script_loads(view: SessionView) -> dict[str, int]:
    """How many segments of each file the script of an accuracy run sends."""
    return view.script_loads if view.mode == "accuracy" else {}


@rule(
    "data.embedded",
    "Samples are MLPerf Tiny's",
    severity="error",
    scope="session",
    source=f"{_RULES}; this project's docs/embedded-assets.md: names of its own samples begin with emb_",
    why="This project's own models and samples show that everything works; their results are not results of the benchmark.",
)
def embedded(view: SessionView) -> Iterator[Violation]:
    own = [name for name in _files(view) if name.startswith(EMBEDDED_PREFIX)]
    if own:
        yield Violation(view.path, f"{len(own)} samples of this project: {some(own, 2)}")


@rule(
    "data.inputs",
    "Performance and energy runs use inputs of the accuracy run",
    severity="error",
    scope="result",
    source="MLPerfTiny_Rules.adoc, Data Sets: the performance data set is a subset of the accuracy data set",
    why="An input of another kind may be faster.",
    warning_before=(1, 4),
)
def inputs(view: ResultView) -> Iterator[Violation]:
    accuracy = view.session("accuracy")
    scores = accuracy.session.scores if accuracy is not None and accuracy.session.begun else None
    known = set(scores.files) if scores is not None else set()
    for session in view.sessions:
        other = sorted({window.file for window in session.session.windows if window.file} - known)
        if known and session.mode != "accuracy" and other:
            yield Violation(session.path, f"{some(other, 3)}: not among the {len(known)} files of the accuracy run")


@rule(
    "data.classes",
    "results.json of an accuracy run states the class that the data set gives each file",
    severity="error",
    scope="session",
    source="MLCommons runner datasets.py: file, classes and class come from y_labels.csv",
    why="The runner computes the accuracy from these classes. In other runs nothing is computed from them.",
    since=(1, 3),
)
def classes(view: SessionView) -> Iterator[Violation]:
    stated = view.session.stated_classes
    if view.mode != "accuracy" or view.benchmark == "sww" or not stated:
        return
    found = view.of.labels.identify(view.judged_as, [file for file, _ in stated], view.accepted)
    wrong = [
        f"{file} is {label}, not {number}"
        for (file, number), label in zip(stated, found.labels.tolist(), strict=True)
        if label >= 0 and label != number
    ]
    if wrong:
        yield Violation(view.path, f"{len(wrong)} of {len(stated)}: {some(wrong, 3)}")
