# SPDX-License-Identifier: Apache-2.0
"""Changes one thing in the package and asks the tests: a seeded sample of mutants, with what killed each.

``python tools/mutants.py --data --count 200 --state mutants.jsonl``: 200 values of tables. ``--critical``: division marks, claims, rules,
cycle and energy constants. Without either: Python, C and tables of the whole package. The same command continues where it stopped.
CONTRIBUTING.md, Would a test see it?, says what to do with survivors.

Maintained tools do not fit here: cosmic-ray, mutatest and mutmut 3 change Python only, while much of what can be wrong in this package
stands in C and in tables. cosmic-ray and mutatest also start the whole test command for each mutant, and mutmut's trampolines stay behind
when a test starts a worker process; this tool runs the nearest tests in forks of a process that has done its imports.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from mutation.selection import CHANGE_DETECTORS, DIGESTS, Tests
from mutation.sites import TABLES, Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENTS = Path(__file__).parent / "mutation" / "equivalents.yaml"
CRITICAL = (
    "src/cm4tiny/firmware/division.py",
    "src/cm4tiny/firmware/microtvm/prune.py",
    "src/cm4tiny/results/conditions.py",
    "src/cm4tiny/results/audit/rules/*",
    "src/cm4tiny/results/replay/*",
    "src/cm4tiny/results/derived/*",
    "src/cm4tiny/benchmarks/metrics.py",
    "src/cm4tiny/benchmarks/benchmarks.yaml",
    "src/cm4tiny/runner/rules*",
    "src/cm4tiny/runner/energy.py",
    "src/cm4tiny/runner/witness.py",
    "src/cm4tiny/boards/virtual/cycle_model.py",
    "src/cm4tiny/boards/virtual/silicon.yaml",
    "src/cm4tiny/boards/energy/current.yaml",
    "src/cm4tiny/images/streaming.py",
)
"""What figures and their labels rest on: every mutant of these must die."""
NOT_MUTATED = ("src/cm4tiny/benchmarks/embedded/*/*.bin", "src/cm4tiny/results/dashboard/site/*")


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant. ``status``: killed, died (crash, or a test took a minute), survived, or spent (survived
    those tests that it had time for)."""

    status: str
    by: str
    ran: int
    seconds: float


def sources(patterns: Sequence[str], *, data: bool) -> dict[str, str]:
    """Path in the repository -> text, of files that can be changed."""
    listed = subprocess.run(["git", "ls-files", "src/cm4tiny", "cm-repo"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = {}
    for file in sorted(listed.split("\n")):
        fits = file.endswith(TABLES) if data or file.startswith("cm-repo/") else file.endswith((".py", ".c", ".h", *TABLES))
        if fits and not _matches(file, NOT_MUTATED) and (not patterns or _matches(file, patterns)):
            found[file] = (ROOT / file).read_text(encoding="utf-8")
    return found


def _matches(file: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatch(file, pattern) for pattern in patterns)


def sample(files: dict[str, str], count: int, seed: int, *, even: bool) -> list[Mutant]:
    """So many mutants (0: all). ``even``: as many of each file as of any other; else each change is as likely as any other."""

    def order(mutant: Mutant) -> str:
        return hashlib.sha256(f"{seed} {mutant.key}".encode()).hexdigest()

    by_file = {file: sorted(mutants_of(file, text), key=order) for file, text in files.items()}
    if not even:
        return sorted((mutant for found in by_file.values() for mutant in found), key=order)[: count or None]
    rounds = [sorted(turn, key=order) for turn in _turns(list(by_file.values()))]
    return [mutant for turn in rounds for mutant in turn][: count or None]


def _turns(lists: list[list[Mutant]]) -> list[list[Mutant]]:
    return [[found[turn] for found in lists if turn < len(found)] for turn in range(max(map(len, lists), default=0))]


def equivalents() -> dict[tuple[str, str, str], str]:
    """(file, line, changed line) -> why no test can tell the difference."""
    rows = yaml.safe_load(EQUIVALENTS.read_text(encoding="utf-8"))["equivalents"] or []
    return {(row["file"], row["line"], row["changed"]): row["why"] for row in rows}


class Worker:
    """A copy of the checkout, with nothing next to it, and the process that runs tests there."""

    def __init__(self, folder: Path, *, cpu_s: float, wall_s: float) -> None:
        self.tree = folder / "checkout"
        self.answer = folder / "answer.json"
        self.limits = {"cpu_s": cpu_s, "wall_s": wall_s}
        self.slow: set[str] = set()
        self._copy()
        home = folder / "home"
        for name in ("home", "tmp"):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
        dropped = ("CM4TINY_", "CM_")
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(dropped)} | {
            "HOME": str(home), "TMPDIR": str(folder / "tmp"), "PYTHONPATH": f"{self.tree / 'src'}:{self.tree / 'tests'}",
            "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
        }  # fmt: skip
        self.process = self._start()

    def _copy(self) -> None:
        """What changed since the last time; the byte code of what did not stays valid."""
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        files = {file for file in listed.splitlines() if (ROOT / file).is_file()}
        for old in self.tree.rglob("*"):
            if old.is_file() and "__pycache__" not in old.parts and old.relative_to(self.tree).as_posix() not in files:
                old.unlink()
        changed = False
        for file in sorted(files):
            target = self.tree / file
            content = (ROOT / file).read_bytes()
            if not target.is_file() or target.read_bytes() != content:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                changed = True
        if changed:
            subprocess.run([sys.executable, "-m", "compileall", "-q", "src", "tests/support"], cwd=self.tree, check=False)

    def _start(self) -> subprocess.Popen[str]:
        script = Path(__file__).parent / "mutation" / "server.py"
        process = subprocess.Popen(
            [sys.executable, str(script)], cwd=self.tree, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n", "the test process did not start"
        return process

    def ask(self, batches: list[list[str]]) -> dict[str, Any]:
        """Runs test files (or node ids), batch by batch up to the first failure; the digests of tables even if the time is spent."""
        assert self.process.stdin is not None and self.process.stdout is not None
        last = [file for batch in batches for file in batch if file == DIGESTS]
        request = {"batches": batches, "last": last, "left_out": CHANGE_DETECTORS, "slow": sorted(self.slow)}
        request |= {"answer": str(self.answer), **self.limits}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        self.process.stdout.readline()
        try:
            answer: dict[str, Any] = json.loads(self.answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            at = Path(f"{self.answer}.test")
            answer = {"status": "died", "by": at.read_text(encoding="utf-8") if at.is_file() else "", "ran": 0, "times": {}}
        self.slow |= set(answer["times"])
        return answer

    def judge(self, mutant: Mutant, batches: list[list[str]]) -> Verdict:
        """Applies a mutant, asks, and takes it back."""
        path, begun = self.tree / mutant.file, time.monotonic()
        text, times = path.read_text(encoding="utf-8"), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
        path.write_text(mutant.apply(text), encoding="utf-8")
        try:
            answer = self.ask(batches)
        finally:
            path.write_text(text, encoding="utf-8")
            os.utime(path, ns=times)  # so that the byte code of the unchanged file is valid again
        return Verdict(answer["status"], answer["by"], answer["ran"], round(time.monotonic() - begun, 1))

    def close(self) -> None:
        """Ends the test process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


class MutationRun:
    """The sample, its state file, and who works on it."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        patterns = [*asked.only, *(CRITICAL if asked.critical else ())]
        self.files = sources(patterns, data=asked.data)
        self.mutants = sample(self.files, asked.count, asked.seed, even=asked.data)
        self.tests = Tests(ROOT)
        self.same = equivalents()
        self.broken: set[str] = set()
        self.sound: set[str] = set()
        self.killers: Counter[tuple[str, str]] = Counter()
        self.done: dict[str, dict[str, Any]] = {}
        if asked.state.is_file():
            rows = [json.loads(line) for line in asked.state.read_text(encoding="utf-8").splitlines()]
            again = ("survived", "spent") if asked.again else ()
            self.done = {row["key"]: row for row in rows if row["status"] not in again}
        self._lock = threading.Lock()

    def argument(self, mutant: Mutant) -> str:
        """Why a mutant is equivalent; empty if nobody said so."""
        return self.same.get((mutant.file, mutant.old_line, mutant.new_line), "")

    def run(self) -> None:
        """Judges what has no verdict yet."""
        open_ = [mutant for mutant in self.mutants if mutant.key not in self.done and not self.argument(mutant)]
        waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
        for mutant in open_:
            waiting.put(mutant)
        begun, total = time.monotonic(), len(open_)

        def work(number: int) -> None:
            worker = Worker(self.asked.work / f"job-{number}", cpu_s=self.asked.cpu, wall_s=self.asked.wall)
            try:
                while not waiting.empty():
                    mutant = waiting.get_nowait()
                    verdict = self._judge(worker, mutant)
                    with self._lock:
                        self._write(mutant, verdict)
                        finished = sum(m.key in self.done for m in open_)
                        left = (time.monotonic() - begun) / finished * (total - finished)
                        where = f"{mutant.file}:{mutant.line}"
                        said = f"{verdict.status:8} {verdict.seconds:5.1f} s {where} {mutant.kind}"
                        print(f"{finished}/{total}, {left / 60:.0f} min left: {said}", file=sys.stderr, flush=True)
            except queue.Empty:
                pass
            finally:
                worker.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(min(self.asked.jobs, max(1, total)))]
        if total:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _judge(self, worker: Worker, mutant: Mutant) -> Verdict:
        """A test that fails without the mutant as well does not count: its file is left out, and the rest is asked again."""
        while True:
            files = self._order(mutant.file, mutant.line)
            batches = [batch for batch in (files[:1], files[1:4], files[4:]) if batch]
            verdict = worker.judge(mutant, batches)
            file = verdict.by.split("::")[0].removesuffix(" (import)")
            seen = verdict.status in ("killed", "died")
            self.killers[mutant.file, file] += seen
            if not seen or file in self.sound or not (worker.tree / file).is_file():
                return verdict
            if worker.ask([[verdict.by.removesuffix(" (import)")]])["status"] == "survived":
                self.sound.add(file)
                return verdict
            self.broken.add(file)
            print(f"left out, fails without a change too: {verdict.by}", file=sys.stderr, flush=True)

    def _order(self, file: str, line: int) -> list[str]:
        """The nearest tests; those that killed changes of the same file before come first."""
        nearest = [test for test in self.tests.for_file(file, self.asked.tests, line) if test not in self.broken]
        return sorted(nearest, key=lambda test: -self.killers[file, test] if test != DIGESTS else 1)

    def _write(self, mutant: Mutant, verdict: Verdict) -> None:
        row = {"key": mutant.key, **asdict(verdict), "file": mutant.file, "line": mutant.line, "kind": mutant.kind}
        row |= {"old": mutant.old_line[:200], "new": mutant.new_line[:200]}
        self.done[mutant.key] = row
        self.asked.state.parent.mkdir(parents=True, exist_ok=True)
        with self.asked.state.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def report(self) -> int:
        """Prints the table; 1 if a mutant survived."""
        table: dict[str, Counter[str]] = {}
        survivors = []
        for mutant in self.mutants:
            row = self.done.get(mutant.key)
            status = "equivalent" if self.argument(mutant) else row["status"] if row else "open"
            table.setdefault(package(mutant.file), Counter())[{"died": "killed", "spent": "survived"}.get(status, status)] += 1
            if status in ("survived", "spent"):
                survivors.append((mutant, status))
        print(f"{'':44} killed survived equivalent not run")
        whole: Counter[str] = Counter()
        for name, counts in sorted(table.items()):
            print(f"{name:44} {counts['killed']:6d} {counts['survived']:8d} {counts['equivalent']:10d} {counts['open']:7d}")
            whole += counts
        judged = whole["killed"] + whole["survived"]
        share = 100 * whole["killed"] / judged if judged else 0.0
        rest = f"{whole['equivalent']} equivalent, {whole['open']} not run"
        only = sum(m.key in self.done and self.done[m.key]["by"].startswith(DIGESTS) for m in self.mutants)
        rest += f"; {only} seen by a table's digest alone" if only else ""
        print(f"seed {self.asked.seed}: {whole['killed']} of {judged} killed ({share:.1f} %), {rest}")
        for mutant, status in survivors:
            print(f"\n{status.upper()} {mutant.file}:{mutant.line} ({mutant.kind})\n- {mutant.old_line[:160]}\n+ {mutant.new_line[:160]}")
        return 1 if survivors else 0


def package(file: str) -> str:
    """``src/cm4tiny/results/audit/rules/windows.py`` -> ``results/audit``; tables stand apart."""
    parts = Path(file).parts
    name = "cm-repo" if parts[0] == "cm-repo" else "/".join(parts[2:-1][:2]) or "foundation"
    return f"{name} ({'tables' if file.endswith(TABLES) else 'C' if file.endswith(('.c', '.h')) else 'Python'})"


def main() -> int:
    """Returns 1 if a mutant survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500, help="mutants; 0: every one (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--data", action="store_true", help="tables only, as many values of each file as of any other")
    parser.add_argument("--critical", action="store_true", help="division marks, claims, rules, cycle and energy constants")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="files, e.g. 'src/cm4tiny/runner/*'")
    parser.add_argument("--tests", type=int, default=12, help="test files for a mutant, the nearest by imports (default: %(default)s)")
    parser.add_argument("--cpu", type=float, default=90, help="seconds of processor time for a mutant (default: %(default)s)")
    parser.add_argument("--wall", type=float, default=1800, help="seconds by the clock for a mutant (default: %(default)s)")
    parser.add_argument("--state", type=Path, default=Path("mutants.jsonl"), help="a line for each verdict (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=Path("mutants.work"), help="copies of the checkout (default: %(default)s)")
    parser.add_argument("--again", action="store_true", help="judge survivors again, with the tests that there are now")
    parser.add_argument("--report", action="store_true", help="run nothing")
    asked = parser.parse_args()
    asked.work = asked.work.resolve()
    campaign = MutationRun(asked)
    if not asked.report:
        campaign.run()
    return campaign.report()


if __name__ == "__main__":
    sys.exit(main())
