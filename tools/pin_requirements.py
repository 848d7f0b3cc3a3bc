"""Writes ``requirements/python-3.12.txt``: every package that this one needs, at one version, with the SHA-256 of its wheel.

``python3.12 tools/pin_requirements.py`` asks pip what it would install for the Python that runs it and takes the digests from its report.
CI installs that file by ``pip install --require-hashes`` and this package by ``--no-deps``; a user's ``pip install .`` takes the ranges of
pyproject.toml.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PYTHON = "3.12"
PAGE = ROOT / "requirements" / f"python-{PYTHON}.txt"
HEAD = f"# Made by tools/pin_requirements.py for Linux, x86-64, Python {PYTHON}: pip install --require-hashes --only-binary=:all: -r THIS\n"
BUILD = ("hatchling>=1.24",)
"""What building this package needs."""


def required() -> list[str]:
    """The requirements of pyproject.toml, and of the build."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert block is not None
    return [*re.findall(r'"([^"]+)"', block[1]), *BUILD]


def resolved(requirements: list[str]) -> list[dict[str, Any]]:
    """What pip would install, with the digest of each file."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" != PYTHON:
        sys.exit(f"run it with Python {PYTHON}")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", str(report)]
        subprocess.run([*command, "--only-binary=:all:", *requirements], check=True)
        found: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["install"]
    return found


def page(rows: list[dict[str, Any]]) -> str:
    """The file's text: one package a line, by name."""
    lines = []
    for row in rows:
        digest = row["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{row['metadata']['name'].lower()}=={row['metadata']['version']} --hash=sha256:{digest}\n")
    return HEAD + "".join(sorted(lines))


def main() -> None:
    """Writes the file."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(resolved(required())), encoding="utf-8")


if __name__ == "__main__":
    main()
