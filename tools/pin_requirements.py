# SPDX-License-Identifier: Apache-2.0
"""Writes ``requirements/*.txt``: every package at one version for each Python and platform, with the SHA-256 of all its wheels.

``python tools/pin_requirements.py`` asks uv (of the extra ``dev``) to resolve pyproject.toml for all Pythons and platforms at once.
Versions that are pinned already stay while they fit; ``--upgrade`` takes the newest. CI installs a file by ``pip install
--require-hashes`` and this package by ``--no-deps``; a user's ``pip install .`` takes the ranges of pyproject.toml.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "requirements"
OLDEST = "3.10"
BUILD = ("hatchling>=1.24", "editables>=0.5")
"""What building this package needs, for a wheel and for an editable installation."""
FILES = {"run.txt": (), "dev.txt": ("dev",)}
"""File -> extras: what a run needs, and what CI and contributors need."""
HEAD = "# Made by tools/pin_requirements.py: pip install --require-hashes --only-binary=:all: -r THIS\n"


def index() -> dict[str, str]:
    """uv does not read pip's settings: the package index that pip is set to, as a variable; no address of it reaches the files."""
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False)
    address = asked.stdout.strip()
    return {"UV_DEFAULT_INDEX": address} if address and "UV_DEFAULT_INDEX" not in os.environ else {}


def resolved(name: str, *options: str) -> str:
    """The text of a file, by uv."""
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "build.in"
        build.write_text("\n".join(BUILD), encoding="utf-8")
        out = Path(folder) / name
        if (FOLDER / name).is_file():
            out.write_bytes((FOLDER / name).read_bytes())
        command = [
            "uv",
            "pip",
            "compile",
            "--quiet",
            "--universal",
            f"--python-version={OLDEST}",
            "--generate-hashes",
            "--only-binary=:all:",
        ]
        command += ["--no-header", "--no-annotate", f"--output-file={out}", *options, *(f"--extra={extra}" for extra in FILES[name])]
        subprocess.run([*command, str(ROOT / "pyproject.toml"), str(build)], check=True, env={**os.environ, **index()})
        return HEAD + out.read_text(encoding="utf-8")


def main() -> None:
    """Writes all files."""
    FOLDER.mkdir(exist_ok=True)
    for name in FILES:
        (FOLDER / name).write_text(resolved(name, *sys.argv[1:]), encoding="utf-8")


if __name__ == "__main__":
    main()
