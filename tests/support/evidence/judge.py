# SPDX-License-Identifier: Apache-2.0
"""Asks the audit about a submission of which one file was mutated; everything that the mutation cannot touch is read once."""

from __future__ import annotations

import shutil
from pathlib import Path

from cm4tiny.results.audit import Finding, audit
from cm4tiny.results.replay.checks import check_session
from cm4tiny.results.replay.replay import Replayed
from cm4tiny.results.rounds import LabelLists, ResultDir, get_round, read_files, walk

ROUND = "v1.4"


class Judge:
    """A copy of a valid submission, and the audit's verdict on it after each mutation."""

    def __init__(self, valid: Path, folder: Path, lists: LabelLists) -> None:
        self.root = folder / "tree"
        shutil.copytree(valid, self.root)
        for sums in self.root.rglob("SHA256SUMS"):  # they would find every change; who changes a file can change them too
            sums.unlink()
        self._lists = lists
        self._round = get_round(ROUND)
        self._known = {result.path: self._read(result) for result in walk(self.root, self._round)}

    def _read(self, result: ResultDir, changed: str = "", known: Replayed | None = None) -> Replayed:
        sessions, checks = {}, []
        for files in result.modes:
            same = known is not None and not changed.startswith(files.folder + "/") and files.mode in known.sessions
            session = known.sessions[files.mode] if known is not None and same else read_files(files, result.benchmark)
            sessions[files.mode] = session
            checks += check_session(result, files, session, self._lists)
        return Replayed(result, sessions, tuple(checks))

    def findings(self, changed: str = "", *, moved: bool = False) -> tuple[Finding, ...]:
        """What the audit finds now.

        Args:
            changed: the file that differs from the valid submission.
            moved: it is gone, so that the layout must be looked at again.
        """
        results = list(walk(self.root, self._round)) if moved else [known.result for known in self._known.values()]
        replayed, again = [], []
        for result in results:
            known = self._known.get(result.path)
            touched = known is None or changed.startswith(result.path + "/")
            if known is None or touched or not changed:
                again.append(result.path)
            if known is None or touched:
                replayed.append(self._read(result, changed, known))
            else:
                replayed.append(Replayed(result, known.sessions, known.checks))
        looked_at = None if moved else again
        return audit(replayed, labels=self._lists, trees=[(self._round, self.root)], complete=True, only=looked_at)

    def after(self, file: str, content: bytes | None) -> tuple[Finding, ...]:
        """The findings with one file replaced (None: removed); the file is restored afterwards."""
        path = self.root / file
        before = path.read_bytes()
        try:
            path.unlink()
            if content is not None:
                path.write_bytes(content)
            return self.findings(file, moved=content is None or file.split("/")[2] == "systems")
        finally:
            path.write_bytes(before)
