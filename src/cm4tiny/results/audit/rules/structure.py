# SPDX-License-Identifier: Apache-2.0
"""Rules on how a submission's folders and files are called and laid out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from cm4tiny.results.audit.rule import Violation, rule
from cm4tiny.results.audit.views import DIVISIONS, ResultView, Submitter, Tree, some
from cm4tiny.results.rounds import layouts

_CHECKER = "submission_checker.py, check_results_dir"
_LAYOUT = "directory_structure.adoc of the results repositories"
MAX_FILE_BYTES = 500 * 1024 * 1024
_KNOWN_TOP = {".git", ".github", "assets", ".vscode"}
_OTHER_RULES = {"apple-double", "symlink", "odd-characters", "system-json-name", "system-json-missing", "prefixed-files"}
"""Quirks of the layout that are reported otherwise."""


@rule(
    "structure.division",
    "Top-level folders are closed and open",
    severity="warning",
    scope="tree",
    source=f"{_CHECKER}: invalid division; {_LAYOUT}",
    why="The official checker passes over anything else, results in it included.",
    whole=True,
)
def division(tree: Tree) -> Iterator[Violation]:
    for path in sorted(tree.root.iterdir()):
        if path.is_dir() and path.name not in DIVISIONS and path.name not in _KNOWN_TOP:
            yield Violation(path.name, f"'{path.name}' is not a division")


@rule(
    "structure.no-results",
    "A submission has results",
    severity="error",
    scope="tree",
    source=f"{_LAYOUT}",
    why="There is nothing to judge; the official checker crashes on it.",
    since=(1, 3),
    whole=True,
)
def no_results(tree: Tree) -> Iterator[Violation]:
    if not tree.results:
        yield Violation(".", "no result was found below closed or open")


@rule(
    "structure.symbolic-link",
    "No symbolic links",
    severity="error",
    scope="submitter",
    source=f"{_CHECKER}: contains symbolic links",
    why="A link points to another place, or to nothing, on every machine but the submitter's.",
    warning_before=(1, 3),
)
def symbolic_link(submitter: Submitter) -> Iterator[Violation]:
    for path in submitter.entries.links:
        yield Violation(path, "a symbolic link")


@rule(
    "structure.large-file",
    "No file over 500 MiB",
    severity="error",
    scope="submitter",
    source=f"{_CHECKER}: FILE_SIZE_LIMIT_MB = 500 (its message says 50 MB)",
    why="Repositories refuse such files.",
    warning_before=(1, 3),
)
def large_file(submitter: Submitter) -> Iterator[Violation]:
    for path, size in submitter.entries.files.items():
        if size > MAX_FILE_BYTES:
            yield Violation(path, f"{size / 1024 / 1024:.0f} MiB, more than 500 MiB")


@rule(
    "structure.pycache",
    "No __pycache__ folders",
    severity="error",
    scope="submitter",
    source=f"{_CHECKER}: has the following __pycache__ directories",
    why="Byte code of one machine's Python is not a source, and may hold paths of that machine.",
    warning_before=(1, 3),
)
def pycache(submitter: Submitter) -> Iterator[Violation]:
    for path in submitter.entries.folders:
        if path.endswith("__pycache__"):
            yield Violation(path, "a folder of Python byte code")


@rule(
    "structure.empty-folder",
    "No empty folders",
    severity="error",
    scope="submitter",
    source=f"{_CHECKER}: has the following empty directories",
    why="Git does not keep them: what was meant to be in them is missing.",
    since=(1, 3),
    whole=True,
)
def empty_folder(submitter: Submitter) -> Iterator[Violation]:
    for path in submitter.entries.empty:
        yield Violation(path, "an empty folder")


@rule(
    "structure.name",
    "Names begin without a dot and hold no blanks",
    severity="warning",
    scope="submitter",
    source=f"{_CHECKER}: git unfriendly name, spaces in their names (warnings there too)",
    why="Hidden files are forgotten by tools, blanks split into two arguments. macOS leaves '._' files that look like logs and are binary.",
)
def name(submitter: Submitter) -> Iterator[Violation]:
    entries = submitter.entries
    for path in (*entries.folders, *entries.files, *entries.links):
        leaf = PurePosixPath(path).name
        if leaf.startswith(".") and leaf != ".gitkeep":
            yield Violation(path, "its name begins with a dot")
        if any(character.isspace() for character in leaf):
            yield Violation(path, "its name holds a blank")


@rule(
    "structure.benchmark",
    "Folders below a system are benchmarks of the round",
    severity="error",
    scope="submitter",
    source=f"{_CHECKER}: has an invalid model for closed division; {_LAYOUT}",
    why="What is in a folder of another name is not a result of the round.",
    warning_before=(1, 3),
)
def benchmark(submitter: Submitter) -> Iterator[Violation]:
    tree = submitter.tree
    paths = [view.result.path for view in submitter.results]
    for path in submitter.entries.folders:
        parts = PurePosixPath(path).parts
        if len(parts) == 5 and parts[2] == "results" and not any(p == path or p.startswith(path + "/") for p in paths):
            yield Violation(path, f"'{parts[4]}' is not a benchmark of {tree.round.id}, or holds no session")
    for view in submitter.results:
        if view.result.benchmark not in tree.round.benchmarks:
            yield Violation(view.result.path, f"{view.result.benchmark} is not a benchmark of {tree.round.id}")


@rule(
    "structure.ic2-without-ic",
    "An organisation that submits the larger image classification submits the smaller one too",
    severity="error",
    scope="submitter",
    source="MLPerfTiny_Rules.adoc, Progressively Larger Submissions Required: if an organization submits one size",
    why="The rule keeps results comparable with those of smaller systems. It speaks of an organisation, in whichever division.",
    since=(1, 4),
)
def ic2_without_ic(submitter: Submitter) -> Iterator[Violation]:
    everywhere = {view.result.benchmark for view in submitter.tree.results if view.result.submitter == submitter.name}
    if "ic2" in {view.result.benchmark for view in submitter.results} and "ic" not in everywhere:
        yield Violation(submitter.path, "ic2 without ic")


@rule(
    "structure.ic2-of-a-system",
    "A system with the larger image classification has the smaller one too",
    severity="warning",
    scope="submitter",
    source=f"{_CHECKER}: need ic run",
    why="The rules ask it of the organisation; the official checker asks it of each system, and refuses the benchmark otherwise.",
    since=(1, 4),
)
def ic2_of_a_system(submitter: Submitter) -> Iterator[Violation]:
    systems: dict[str, set[str]] = {}
    for view in submitter.results:
        systems.setdefault(view.result.system, set()).add(view.result.benchmark)
    for system, benchmarks in systems.items():
        if "ic2" in benchmarks and "ic" not in benchmarks:
            yield Violation(f"{submitter.path}/results/{system}", "ic2 without ic on this system")


@rule(
    "structure.layout",
    "Folders and files have the names that the documents give",
    severity="error",
    scope="result",
    source=f"{_LAYOUT}; docs/audit.md",
    why="The official checker looks for exact names: it passes over energy in 'power' or 'enegy', and refuses prefixed files.",
    warning_before=(1, 3),
)
def layout(view: ResultView) -> Iterator[Violation]:
    words = layouts()["quirks"]
    for quirk in view.result.quirks:
        if quirk.kind not in _OTHER_RULES:
            yield Violation(quirk.path, f"{words[quirk.kind]}{': ' + quirk.note if quirk.note else ''}")
    for files in view.result.modes:
        prefix = f"{files.mode}_"
        odd = [path.name for path in (files.log, files.results, files.script) if path is not None and path.name.startswith(prefix)]
        if odd:
            yield Violation(files.folder, f"{words['prefixed-files']}: {some(odd)}")


@rule(
    "structure.modes",
    "Accuracy and performance belong to each result",
    severity="error",
    scope="result",
    source="submission_checker.py: required_tests; directory_structure.adoc: mandatory files",
    why=(
        "A speed without its accuracy is not a result. The official checker passes silently over a benchmark without performance "
        "unless it is the last one that it visits."
    ),
)
def modes(view: ResultView) -> Iterator[Violation]:
    present = {files.mode for files in view.result.modes}
    if view.result.benchmark == "sww":
        if not present & {"performance", "energy"}:
            yield Violation(view.result.path, "neither performance nor energy")
        return
    absent = [mode for mode in ("accuracy", "performance") if mode not in present]
    if absent:
        yield Violation(view.result.path, f"no {some(absent)} session")
