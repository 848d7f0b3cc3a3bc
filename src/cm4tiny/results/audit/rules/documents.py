# SPDX-License-Identifier: Apache-2.0
"""Rules on what a whole submission brings along: code, instructions, checklist, energy set-up, and the draft's mark."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from cm4tiny.results.audit.rule import Violation, rule
from cm4tiny.results.audit.views import Submitter, some

_LAYOUT = "directory_structure.adoc, list of mandatory files"
DRAFT_MARK = "DRAFT.md"
"""The file that says that a submission is a draft; ``cm4tiny.results.submission`` writes it."""


CHECKSUMS = "SHA256SUMS"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _names(submitter: Submitter, folder: str = "") -> Iterator[str]:
    prefix = f"{submitter.path}/{folder}/" if folder else f"{submitter.path}/"
    return (path for path in submitter.entries.files if path.startswith(prefix))


@rule(
    "documents.draft",
    "A submission is not a draft",
    severity="error",
    scope="submitter",
    source=f"this project (docs/submit.md): {DRAFT_MARK}",
    why="A draft may hold simulated results, or results of models that are not MLPerf Tiny's. It shows the form, and cannot be submitted.",
)
def draft(submitter: Submitter) -> Iterator[Violation]:
    if f"{submitter.path}/{DRAFT_MARK}" in submitter.entries.files:
        yield Violation(submitter.path, f"{DRAFT_MARK} marks it as a draft")


@rule(
    "documents.code",
    "Each benchmark comes with the code that was run",
    severity="error",
    scope="submitter",
    source=f"MLPerfTiny_Rules.adoc, Benchmark implementations must be shared; {_LAYOUT}",
    why="A result that nobody can build again is not valid. The official checker does not look.",
    warning_before=(1, 4),
    whole=True,
)
def code(submitter: Submitter) -> Iterator[Violation]:
    files = list(_names(submitter, "code"))
    if not files and submitter.results:
        yield Violation(submitter.path, "no code")
        return
    folders = {PurePosixPath(path).parts[3].lower() for path in files if len(PurePosixPath(path).parts) > 4}
    for benchmark in sorted({view.result.benchmark for view in submitter.results}):
        if folders & {"ad", "ic", "ic2", "kws", "vww", "sww"} and benchmark not in folders:
            yield Violation(submitter.path, f"no code/{benchmark}")


@rule(
    "documents.readme",
    "A README says how to get the results again",
    severity="error",
    scope="submitter",
    source=f"MLPerfTiny_Rules.adoc, Reproducibility and Availability; {_LAYOUT}",
    why="Code without instructions is not reproducible.",
    warning_before=(1, 4),
    whole=True,
)
def readme(submitter: Submitter) -> Iterator[Violation]:
    if submitter.results and not any(PurePosixPath(path).name.lower().startswith("readme") for path in _names(submitter)):
        yield Violation(submitter.path, "no README")


@rule(
    "documents.checklist",
    "The signed checklist lies next to the system descriptions",
    severity="error",
    scope="submitter",
    source=_LAYOUT,
    why="It is the submitter's word that the rules were kept. One submitter of v1.3 gave it as .docx only.",
    since=(0, 7),
    warning_before=(1, 4),
    whole=True,
)
def checklist(submitter: Submitter) -> Iterator[Violation]:
    found = [path for path in _names(submitter) if "checklist" in PurePosixPath(path).name.lower()]
    if submitter.results and not any(path.lower().endswith(".pdf") for path in found):
        yield Violation(submitter.path, "the checklist is no .pdf" if found else "no checklist")


@rule(
    "documents.energy-set-up",
    "Energy results come with a drawing or description of the set-up",
    severity="error",
    scope="submitter",
    source=_LAYOUT + ": Energy-Hookup.pdf",
    why="The supply decides the figure: at 3.0 V a board took 1.6 times the energy that it took at 1.8 V (docs/audit.md).",
    since=(0, 7),
    warning_before=(1, 4),
    whole=True,
)
def energy_set_up(submitter: Submitter) -> Iterator[Violation]:
    if not any(view.result.files("energy") for view in submitter.results):
        return
    words = ("hookup", "hook-up", "hook_up", "energy", "power", "setup", "set-up")
    documents = (".pdf", ".png", ".jpg", ".jpeg", ".md", ".txt", ".docx")
    for path in _names(submitter):
        leaf = PurePosixPath(path)
        outside = leaf.parts[2] not in ("results", "code")
        if outside and leaf.suffix.lower() in documents and any(word in leaf.stem.lower() for word in words):
            return
    yield Violation(submitter.path, "energy results, but nothing that describes how energy was measured")


_SUM = re.compile(r"([0-9a-f]{64})  (.+)")


@rule(
    "documents.checksums",
    "Files have the hashes that SHA256SUMS gives",
    severity="error",
    scope="submitter",
    source=f"this project (docs/submit.md): {CHECKSUMS}, where a submission has one",
    why="A file was changed, lost or added after the submission was made.",
    whole=True,
)
def checksums(submitter: Submitter) -> Iterator[Violation]:
    files = submitter.entries.files
    table = f"{submitter.path}/{CHECKSUMS}"
    if table not in files or files[table] > 64 * 1024 * 1024:
        return
    lines = (submitter.tree.root / table).read_text("utf-8", "replace").splitlines()
    named = {match[2]: match[1] for line in lines if (match := _SUM.fullmatch(line))}
    present = {path.removeprefix(f"{submitter.path}/") for path in files} - {CHECKSUMS}
    changed = [name for name in sorted(present & set(named)) if sha256_of(submitter.folder / name) != named[name]]
    for what, names in (("changed", changed), ("missing", sorted(set(named) - present)), ("not listed", sorted(present - set(named)))):
        if names:
            yield Violation(submitter.path, f"{what}: {some(names, 3)}")
