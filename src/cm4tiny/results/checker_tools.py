# SPDX-License-Identifier: Apache-2.0
"""What MLCommons' submission tools need: their source at a pinned commit, and a Python environment of their own.

Source: ``tools/submission`` of https://github.com/mlcommons/tiny. Its ``requirements.txt`` pins numpy 1.22.3 and pandas 1.4.1, without
wheels for Python 3.11 and later; the versions below run the tools on Python 3.10 to 3.13 and give the same tables (docs/audit.md).
Nothing of both is imported here: they run as programs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.benchmarks.official.table import official_table
from cm4tiny.digests import file_sha256
from cm4tiny.errors import ResultsError, UsageError
from cm4tiny.events import SILENT, EventStream
from cm4tiny.fetch import checkout
from cm4tiny.locks import HeldLock, acquire
from cm4tiny.network import pip_options
from cm4tiny.paths import user_cache

REPOSITORY = "https://github.com/mlcommons/tiny"
COMMIT = "1afd2c9820f795965a6134facd0b4dfae41ef23f"
FOLDER = Path("tools") / "submission"
CHECKER = "submission_checker.py"
REPORT = "generate_final_report.py"
SHA256 = {
    CHECKER: "55142ea80663d67dfe839ba836a67371e04223adc7e75c162eae75e946a53bae",
    REPORT: "fae6c37b343648541c0df436e2c95f22020ae1982ecd0a7c68187ac39b2ebcce",
}
"""The two programs at :data:`COMMIT`."""

REQUIREMENTS = ("pandas==2.3.3", "XlsxWriter==3.2.9")
INSTALL_TIMEOUT_S = 900
_STEP = "official checker"


@dataclass(frozen=True)
class Tools:
    """Where the programs are, the Python that runs them, and whether they are the pinned ones."""

    folder: Path
    python: Path
    pinned: bool

    @property
    def checker(self) -> Path:
        """``submission_checker.py``."""
        return self.folder / CHECKER

    @property
    def report(self) -> Path:
        """``generate_final_report.py``."""
        return self.folder / REPORT

    @property
    def origin(self) -> str:
        """For the record: the pinned commit, or the folder and the checker's hash."""
        return f"{REPOSITORY} @ {COMMIT[:12]}" if self.pinned else f"{self.checker} (SHA-256 {file_sha256(self.checker)[:16]})"


def get_tools(clone: str = "", events: EventStream = SILENT) -> Tools:
    """The tools, fetched and installed at first use.

    Args:
        clone: a clone of mlcommons/tiny (or its folder tools/submission); empty: the pinned commit, fetched once per machine.

    Raises:
        UsageError: the clone holds no checker. AssetError: it cannot be fetched. ResultsError: pip failed; says what to do without.
    """
    folder = _given(Path(clone)) if clone else _fetched(events)
    pinned = all(file_sha256(folder / name) == digest for name, digest in SHA256.items())
    return Tools(folder, _python(events), pinned)


def _given(clone: Path) -> Path:
    for folder in (clone / FOLDER, clone):
        if all((folder / name).is_file() for name in SHA256):
            return folder.resolve()
    raise UsageError(
        f"{clone} holds no submission tools",
        why=f"neither it nor its {FOLDER} has {CHECKER} and {REPORT}",
        hint=f"give a clone of {REPOSITORY}, or leave the option out to fetch them",
    )


def _lock(path: Path) -> HeldLock:
    return acquire(path.with_name(f"{path.name}.lock"), wait_s=INSTALL_TIMEOUT_S, subject="the environment of the submission tools")


def _fetched(events: EventStream) -> Path:
    folder = checkout(official_table().source("mlcommons/tiny"), events=events) / FOLDER
    if not all((folder / name).is_file() and file_sha256(folder / name) == digest for name, digest in SHA256.items()):
        raise ResultsError(
            f"{REPOSITORY} @ {COMMIT[:12]} does not hold the pinned submission tools", hint=f"remove {folder.parent} and try again"
        )
    return folder


def _python(events: EventStream) -> Path:
    """The interpreter of the tools' own environment, made at first use."""
    wanted = hashlib.sha256("\n".join((*REQUIREMENTS, sys.version)).encode()).hexdigest()[:16]
    home = user_cache() / "official-checker" / f"environment-{wanted}"
    done = home / "complete"
    try:
        with _lock(home):
            if not done.is_file():
                options = pip_options("the official checker's environment is not in the cache", ResultsError)
                events.message(_STEP, f"installing {', '.join(REQUIREMENTS)} into an environment of its own")
                shutil.rmtree(home, ignore_errors=True)
                what = "the official checker's environment cannot be made"
                _program([sys.executable, "-m", "venv", str(home)], home.parent, INSTALL_TIMEOUT_S, what)
                pip = [str(_interpreter(home)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *options]
                _program([*pip, *REQUIREMENTS], home, INSTALL_TIMEOUT_S, what)
                done.write_text("\n".join(REQUIREMENTS) + "\n", encoding="utf-8")
    except OSError as error:
        raise _setup_error("the official checker's environment cannot be stored", str(error)) from error
    return _interpreter(home)


def _interpreter(home: Path) -> Path:
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _program(command: list[str], folder: Path, timeout_s: float, what: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _setup_error(what, str(error)) from error
    if done.returncode:
        raise _setup_error(what, ((done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"])[-1])


def _setup_error(what: str, why: str) -> ResultsError:
    return ResultsError(
        what,
        why=why,
        hint="check the network; or give a clone with --tiny_src=DIR; or leave out --official: the project's own audit needs neither",
    )
