# SPDX-License-Identifier: Apache-2.0
"""Verifies a report: four witnesses, each of which speaks for some fields.

- the sessions: every figure and mark of an entry (:mod:`cm4tiny.results.verify.sessions`);
- the files next to the report: names, sizes and digests;
- this package's tables: its own models and samples, results of past rounds;
- ``outcome.json``: everything else, as the runner recorded it; the whole report is made from it again and compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cm4tiny
from cm4tiny.benchmarks import get_benchmark
from cm4tiny.benchmarks.embedded import embedded_data_set, embedded_index
from cm4tiny.errors import MismatchError, ResultsError
from cm4tiny.results.collect import report_of
from cm4tiny.results.evidence_files import digest_of, inside, read_bounded, read_object
from cm4tiny.results.report import REPORT_MD, Report, check_report
from cm4tiny.results.summary import markdown
from cm4tiny.results.verify.leaves import Contradiction, differences, leaves
from cm4tiny.results.verify.sessions import NOT_THERE, recompute
from cm4tiny.runner.benchmark_run import OUTCOME

SESSIONS, FILES, TABLES, RECORDED = "sessions", "files", "tables", "outcome"
WITNESSES = {
    SESSIONS: "computed again from the sessions",
    FILES: "digests of the files next to it",
    TABLES: "this package's own tables",
    RECORDED: "as the runner recorded it in outcome.json",
}
_BESIDE = ("session", "outcome")
_OF_A_VERSION = ("text", "model_error", "differs")
"""Keys whose words may be another version's."""
_MAX_FINDINGS = 200


@dataclass(frozen=True)
class ReportCheck:
    """What became of a report's fields.

    Attributes:
        path: the report's file.
        report: its content.
        findings: fields that do not follow from their evidence; empty for a report that does.
        witnesses: number of fields by their strongest witness, a key of :data:`WITNESSES`.
        open: what could not be checked here, and why; a sentence each.
    """

    path: Path
    report: Report
    findings: tuple[Contradiction, ...] = ()
    witnesses: Mapping[str, int] = field(default_factory=dict)
    open: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every field that could be checked follows from its evidence."""
        return not self.findings

    @property
    def text(self) -> str:
        """For the terminal."""
        said = ", ".join(f"{self.witnesses[name]} {words}" for name, words in WITNESSES.items() if self.witnesses.get(name))
        count = len(self.findings)
        wrong = f"{count} finding{'' if count == 1 else 's'}"
        head = f"{self.path}: {'verified' if self.ok else wrong} ({sum(self.witnesses.values())} fields: {said})"
        return "\n".join([head, *(f"  wrong: {one}" for one in self.findings), *(f"  not checked: {one}" for one in self.open)])

    def as_json(self) -> dict[str, Any]:
        """For programs: the same without the path, which is of one machine."""
        return {
            "schema": "cm4tiny-verification-1",
            "verified": self.ok,
            "fields": dict(self.witnesses),
            "findings": [{"where": one.where, "text": one.text} for one in self.findings],
            "not_checked": list(self.open),
        }

    def need(self) -> None:
        """Nothing for a report that is verified.

        Raises:
            MismatchError: a field does not follow from its evidence.
        """
        if self.ok:
            return
        more = len(self.findings) - 5
        raise MismatchError(
            f"{self.path} does not follow from what lies next to it",
            why="; ".join(map(str, self.findings[:5])) + (f"; and {more} more" if more > 0 else ""),
            hint="do not use its figures; run the benchmark again, or ask for the folder as the run left it",
        )


def verify_report(path: Path) -> ReportCheck:
    """Computes every digest and every figure of ``report.json`` again from what lies next to it.

    Raises:
        ResultsError: the file cannot be read as a report; its schema or its labels are broken, or a file that it names leads elsewhere.
    """
    report = read_object(path, "a report")
    check_report(report, str(path))
    return _Check(path, report).run()


class _Check:
    def __init__(self, path: Path, report: Report) -> None:
        self.path = path
        self.folder = path.parent
        self.report = report
        self.same_version = report["tools"].get("cm4tiny") == cm4tiny.__version__
        self.found: dict[Contradiction, None] = {}
        self.witness: dict[str, str] = {}
        self.open: list[str] = []

    def run(self) -> ReportCheck:
        self._outcome()
        self._files()
        for number, entry in enumerate(self.report["results"]):
            self._entry(f"$.results[{number}]", entry)
        self._lock()
        self._markdown()
        fields = [path for path, _ in leaves(self.report, "$")]
        counted = Counter(self.witness[path] for path in fields if path in self.witness)
        alone = [path for path in fields if path not in self.witness]
        if alone:
            self.open.append(f"{len(alone)} fields have no witness here, the first is {alone[0]}")
        return ReportCheck(self.path, self.report, tuple(self.found)[:_MAX_FINDINGS], dict(counted), tuple(self.open))

    def _add(self, findings: Iterator[Contradiction]) -> None:
        self.found.update(dict.fromkeys(findings))

    def _seen(self, value: Any, path: str, witness: str) -> None:
        self.witness.update((leaf, witness) for leaf, _ in leaves(value, path))

    # --- the whole, from outcome.json -----------------------------------------------------------------------------------------
    def _outcome(self) -> None:
        outcome = self.folder / OUTCOME
        listed = [file for file in self.report["files"] if file["role"] == "outcome"]
        if not outcome.exists() and not listed:
            self.open.append(f"{OUTCOME} is not next to the report: what only the runner knows has no witness")
            return
        made = report_of(outcome, str(self.report.get("lock", "")))
        if not listed:  # an earlier version did not name it
            made["files"] = [file for file in made["files"] if file["role"] != "outcome"]
        said = self.report
        if not self.same_version:
            version = said["tools"].get("cm4tiny", "?")
            self.open.append(f"the words and the published results are those of version {version}, this is {cm4tiny.__version__}")
            said, made = _without_words(said), _without_words(made)
        self._add(differences(said, made, "$", OUTCOME))
        self._seen(said, "$", RECORDED)
        for key in ("published", "notice"):
            if self.same_version:
                self._seen(self.report.get(key), f"$.{key}", TABLES)

    # --- digests --------------------------------------------------------------------------------------------------------------
    def _files(self) -> None:
        tables = _own_files()
        absent: Counter[str] = Counter()
        names: Counter[tuple[str, str]] = Counter()
        for number, file in enumerate(self.report["files"]):
            where = f"$.files[{number}]"
            names[file["role"], file["name"]] += 1
            if file["role"] in _BESIDE:
                self._digest(where, file)
            elif (file["sha256"], file["bytes"]) in tables:
                self._seen(file, where, TABLES)
            else:
                absent[file["role"]] += 1
        for role, count in absent.items():
            self.open.append(f"{count} file{'' if count == 1 else 's'} ({role}) are named by digest and do not lie next to the report")
        self._add(Contradiction("$.files", f"{name} ({role}) is listed {n} times") for (role, name), n in names.items() if n > 1)
        self._add(Contradiction(name, "it lies in a session of the report, which does not list it") for name in self._unlisted())

    def _digest(self, where: str, file: Mapping[str, Any]) -> None:
        path = inside(self.folder, file["name"])
        if not path.exists():
            self._add(iter([Contradiction(where, f"{file['name']} is not there")]))
            return
        digest = digest_of(path)
        self._add(differences(dict(file), {**file, "sha256": digest.sha256, "bytes": digest.bytes}, where, file["name"]))
        self._seen(file, where, FILES)

    def _unlisted(self) -> Iterator[str]:
        listed = {file["name"] for file in self.report["files"]}
        sessions = {str(entry["session"]) for entry in self.report["results"] if entry.get("session")}
        for session in sorted(sessions):
            folder = inside(self.folder, session)
            names = sorted(f"{session}/{path.name}" for path in folder.iterdir()) if folder.is_dir() else []
            yield from (name for name in names if name not in listed)

    # --- figures --------------------------------------------------------------------------------------------------------------
    def _entry(self, where: str, entry: Mapping[str, Any]) -> None:
        if not entry.get("session"):
            self._add(iter([Contradiction(where, "it names no session")]))
            return
        folder = inside(self.folder, entry["session"])
        same = [one for one in self.report["results"] if one["benchmark"] == entry["benchmark"]]
        cycles = next((one.get("cycles_per_inference") for one in same if one["mode"] == "performance"), None)
        made = recompute(entry, folder, cycles, self._labels(entry["benchmark"]))
        self._add(Contradiction(where, f"{entry['session']} is not evidence: {problem}") for problem in made.problems)
        for key, value in made.values.items():
            self._figure(f"{where}.{key}", entry.get(key, NOT_THERE), value, entry["session"])
        images = {file["sha256"] for file in self.report["files"] if file["role"] == "firmware"}
        if entry.get("firmware_sha256") not in images:
            self._add(iter([Contradiction(f"{where}.firmware_sha256", "no firmware that the report lists has this digest")]))

    def _labels(self, benchmark: str) -> dict[str, int] | None:
        """The labels of this package's samples, where the report's list of labels is that of the package."""
        own = _own_labels(benchmark)
        if own is None:
            return None
        name, sha256, labels = own
        listed = {file["sha256"] for file in self.report["files"] if file["role"] == "data set" and file["name"] == name}
        return labels if sha256 in listed else None

    def _figure(self, where: str, said: Any, found: Any, session: str) -> None:
        if found is NOT_THERE and said is NOT_THERE:
            return
        if found is NOT_THERE or said is NOT_THERE:
            self._add(iter([Contradiction(where, f"{'the report' if said is NOT_THERE else session} does not have it")]))
            return
        self._add(differences(said, found, where, session))
        self._seen(said, where, SESSIONS)

    # --- the rest -------------------------------------------------------------------------------------------------------------
    def _lock(self) -> None:
        if not self.report.get("lock"):
            return
        name = str(self.report["lock"])
        path = inside(self.folder.parent, name[3:]) if name.startswith("../") else inside(self.folder, name)
        try:
            content = read_object(path, "a lock file")
        except ResultsError as error:
            self._add(iter([Contradiction("$.lock", f"{error.what}: {error.why}")]))
            return
        if not {"format", "digest", "request"} <= content.keys():
            self._add(iter([Contradiction("$.lock", f"{name} is not a lock file")]))
        self._seen(name, "$.lock", FILES)

    def _markdown(self) -> None:
        path = self.folder / REPORT_MD
        if not path.exists():
            self.open.append(f"{REPORT_MD} does not lie next to the report")
        elif self.same_version and read_bounded(path) != markdown(self.report).encode("utf-8"):
            self._add(iter([Contradiction(REPORT_MD, "it is not the text of this report")]))


@cache
def _own_files() -> frozenset[tuple[str, int]]:
    """SHA-256 and size of this package's own models and samples."""
    return frozenset((row.sha256, row.bytes) for row in embedded_index().values())


@cache
def _own_labels(benchmark: str) -> tuple[str, str, dict[str, int]] | None:
    """Name and digest of the list of labels of this package's samples, and the labels by file; None where there are no samples."""
    name = f"{get_benchmark(benchmark).data_set}/y_labels.csv"
    row = embedded_index().get(name)
    return None if row is None else (name, row.sha256, {sample.file: sample.label for sample in embedded_data_set(benchmark).samples})


def _without_words(report: Report) -> Report:
    """A report without what depends on the version that wrote it."""
    left = {key: value for key, value in report.items() if key not in ("published", "notice")}
    left["results"] = [
        {key: _plain(value) if key == "labels" else value for key, value in entry.items()} for entry in report["results"]
    ]  # the rest of the labels is compared
    return left


def _plain(labels: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in labels.items() if key not in _OF_A_VERSION}
