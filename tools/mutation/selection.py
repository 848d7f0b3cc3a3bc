# SPDX-License-Identifier: Apache-2.0
"""Which test files to run for a change of a file: the nearest by imports first, those that are named after it before others."""

from __future__ import annotations

import ast
import re
from collections import deque
from pathlib import Path, PurePosixPath

from mutation.sites import TABLES

SLOW = 1.5
"""How many imports further away tests count that start virtual boards or commands, since they take longer."""
NAMED = 2.0
"""How many imports nearer a test counts that names the changed function."""
_DEFINES = {".py": re.compile(r"\s*(?:async )?def (\w+)"), ".c": re.compile(r"[a-z].*?\b(\w+)\(")}
_SKIPPED = ("tests/conformance", "tests/browser", "tests/hardware")
_BIT_EXACT = tuple(f"tests/conformance/test_bit_exact_{what}.py" for what in ("helpers", "operators", "memory", "sparse"))
CHANGE_DETECTORS = ("tests/unit/images/test_performance_page.py::test_the_page_in_the_manual_is_made_of_the_kept_rows",)
"""They fail at every change of a source, whatever it does: left out, so that a mutant is killed by what it breaks."""

WITNESSES = {
    "cm-repo/": ("resolver/test_step_metas.py", "resolver/test_resolver_reference.py", "resolver/test_build_variations.py"),
    "src/cm4tiny/benchmarks/embedded/": ("benchmarks/test_embedded_index.py",),
}
"""Tests (below tests/unit) of all files of a folder, which name none of them: asked first."""
COMPARED = {"src/cm4tiny/firmware/kernels/": _BIT_EXACT, "src/cm4tiny/firmware/microtvm/": _BIT_EXACT[1:]}
"""Tests that compare what a folder makes with TFLite's kernels: asked after the nearest, since they take tens of seconds."""
DIGESTS = "tests/unit/test_table_digests.py"
"""Sees every change of a table, so it is asked last: what it alone kills has no other test."""
COMMANDS = ("src/cm4tiny/resolver/", "src/cm4tiny/cm.py", "src/cm4tiny/workflows/")
"""What a ``cm`` command runs by way of ``cm-repo``, which imports do not show: tests that run commands count as near."""
CONVENTIONS = "tests/unit/test_dataclasses.py"
"""Reads all modules of the package, and imports none."""


class Tests:
    """The import graph of a checkout: modules of the package, of ``tests/support`` and the test files of a plain checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in self._files()}
        self.modules = {self._module(file): file for file in self.texts}
        self.importers: dict[str, set[str]] = {}
        for file, text in self.texts.items():
            for used in self._imports(file, text):
                self.importers.setdefault(used, set()).add(file)

    def _files(self) -> list[Path]:
        found = [*self.root.glob("src/cm4tiny/**/*.py"), *self.root.glob("tests/**/*.py")]
        return [path for path in found if not path.relative_to(self.root).as_posix().startswith(_SKIPPED)]

    def _module(self, file: str) -> str:
        if file.startswith("src/"):
            return file.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if file.startswith("tests/support/"):
            return file.removeprefix("tests/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return PurePosixPath(file).stem  # modules next to the tests

    def _imports(self, file: str, text: str) -> set[str]:
        """Files that a file imports, anywhere in it."""
        names: set[str] = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        return {self.modules[name] for name in names if name in self.modules and self.modules[name] != file}

    def _readers(self, file: str) -> dict[str, float]:
        """Distance of what a file is read by directly: itself if it is Python, else whatever names it."""
        if file.endswith(".py") and file in self.texts:
            return {file: 0.0}
        path = PurePosixPath(file)
        if path.suffix in (".c", ".h"):  # compiled by a module of its folder
            here = f"{path.parent.as_posix()}/"
            return {name: 0.0 for name in self.texts if name.startswith(here) and re.search(r"native|build", name)}
        if file.startswith("cm-repo/"):
            named = re.compile(r"own_repositories|cm_repo\(\)|_cm\.yaml|inputs\.yaml|house\(")
        else:
            stem = path.name.removesuffix(path.suffix).removesuffix(".schema")
            named = re.compile(rf"\b{re.escape(stem)}(?:\.schema)?(?:\.json|\.yaml|\.csv|\.tsv)|load_table\(.*{re.escape(stem)}")
        return {f: 0.0 if f.startswith("tests/") else 0.5 for f, text in self.texts.items() if named.search(text)}

    def for_file(self, file: str, most: int, line: int = 0) -> list[str]:
        """At most so many test files for a change of a file (in a line), the nearest first; those that name the changed function count
        as nearer."""
        distance = self._readers(file)
        queue = deque(sorted(distance, key=lambda name: distance[name]))
        while queue:
            name = queue.popleft()
            for importer in self.importers.get(name, ()):
                if importer not in distance:
                    distance[importer] = distance[name] + 1
                    queue.append(importer)
        if file.startswith(COMMANDS):
            distance |= {
                test: 2.0 for test in self.texts if test.startswith("tests/unit") and self._needs_cm(test) and test not in distance
            }
        path = PurePosixPath(file)
        named = self._naming(file, line)
        words = {word for word in re.split(r"[_.]", path.stem) if len(word) > 3}
        folder = path.parent.name

        def rank(test: str) -> tuple[float, int, str]:
            score = distance[test]
            name = PurePosixPath(test).stem
            score -= (6 if path.suffix in (".c", ".h") else 1.5) * bool(words) * sum(word in name for word in words) / max(1, len(words))
            score -= 0.5 * (folder in test) + NAMED * (test in named)
            if path.suffix in (".c", ".h"):
                return (
                    score - 4 * test.startswith(("tests/emulated/test_virtual_board", "tests/emulated/test_silicon")),
                    len(self.texts[test]),
                    test,
                )
            score += SLOW * (test.startswith(("tests/emulated", "tests/ledger")) or self._needs_cm(test))
            return score, len(self.texts[test]), test

        tests = [name for name in distance if PurePosixPath(name).name.startswith("test_") and name != DIGESTS]
        usual = (test for test in tests if test.startswith("tests/unit") or not self._needs_cm(test))
        nearest = sorted(usual, key=rank)[:most]
        first = [f"tests/unit/{test}" for folder, found in WITNESSES.items() if file.startswith(folder) for test in found]
        compared = [test for folder, found in COMPARED.items() if file.startswith(folder) for test in found]
        nearest = [*first, *(test for test in nearest if test not in first), *compared]
        last = [DIGESTS] if path.suffix in TABLES else [CONVENTIONS] if path.suffix == ".py" else []
        return [*nearest, *last]

    def _naming(self, file: str, line: int) -> set[str]:
        """Test files with a word that is the name of the function around a line."""
        path = self.root / file
        if not line or path.suffix not in _DEFINES:
            return set()
        before = path.read_text(encoding="utf-8").splitlines()[:line]
        found = next((match for text in reversed(before) if (match := _DEFINES[path.suffix].match(text))), None)
        name = found[1].strip("_") if found else ""
        if not name or name in ("init", "main", "run", "read"):
            return set()
        used = re.compile(rf"\b_?{name}\(" if len(name) < 5 else rf"\b_*{name}\b")
        return {test for test, text in self.texts.items() if used.search(text)}

    def _needs_cm(self, test: str) -> bool:
        """Whether a test file runs ``cm`` commands: one and more seconds each, minutes where they build firmware."""
        return bool(re.search(r"\(cm\b|\bcm_home\b", self.texts[test]))
