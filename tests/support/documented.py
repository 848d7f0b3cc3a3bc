# SPDX-License-Identifier: Apache-2.0
"""The commands that README, the documentation and the workflows show, and how ``docs/commands.yaml`` says each is tested."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "docs" / "commands.yaml"
WORKFLOWS = ROOT / ".github" / "workflows"
ACTION = ROOT / "action.yml"
SHELLS = ("bash", "sh", "console")
FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^ *```$", re.M | re.S)
SKIPPED = {".git", ".venv", "venv", ".nox", "build", "dist", "site", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"}
"""Folders at the top of a checkout that are not part of it."""


@dataclass(frozen=True)
class Block:
    """A block of commands of a file (``page``); ``language`` is what stands behind the fence, ``workflow`` for a run step."""

    page: str
    language: str
    text: str

    @property
    def first(self) -> str:
        """The first line, by which the book names the block, without a comment or a continuation at its end."""
        return re.sub(r"\s+#\s.*$|\s*\\$", "", self.text.lstrip().splitlines()[0]).strip()

    @property
    def commands(self) -> tuple[str, ...]:
        """One text a command: continued lines are joined; of a transcript, the lines behind a prompt. Comments are gone."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        whole = (re.sub(r"\s+", " ", re.sub(r"(^|\s)#\s.*$", "", line)).strip() for line in lines)
        return tuple(line for line in whole if line)


def pages() -> list[str]:
    """Every Markdown file of the checkout that git knows: the README's first command leaves a report.md next to them.

    A copy without git has all that is there.
    """
    listed = subprocess.run(["git", "ls-files", "-z", "--", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return sorted(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(path.as_posix() for path in found if path.parts[0] not in SKIPPED)


def fenced(page: str) -> list[Block]:
    """All fenced blocks of a page, whatever their language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(page, match[2].strip(), re.sub(rf"^{match[1]}", "", match[3], flags=re.M)) for match in FENCE.finditer(text)]


def steps(workflow: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(job, step) of a workflow file, or of an action, which is its only job."""
    loaded = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    for name, job in (loaded["jobs"] if "jobs" in loaded else {"action": loaded["runs"]}).items():
        for step in job["steps"]:
            yield name, step


def blocks() -> list[Block]:
    """Every block of commands: of all pages, and each run step of the workflows and the action."""
    found = [block for page in pages() for block in fenced(page) if block.language in SHELLS]
    for file in (*sorted(WORKFLOWS.glob("*.yml")), ACTION):
        found += [Block(file.relative_to(ROOT).as_posix(), "workflow", step["run"]) for _, step in steps(file) if "run" in step]
    return found


@dataclass(frozen=True)
class Rule:
    """How a block is tested (docs/commands.schema.json says what the fields mean)."""

    page: str
    block: str
    run: str
    why: str = ""
    test: str = ""
    before: str = ""
    after: str = ""
    cwd: str = "page"
    own: bool = False
    until: str = ""
    status: int = 0
    plan: bool = True
    prints: tuple[str, ...] = ()
    replace: tuple[tuple[str, str], ...] = ()
    lines: tuple[tuple[str, str, str], ...] = ()

    def covers(self, block: Block) -> bool:
        return self.page == block.page and self.block in ("*", block.first)

    def mode(self, command: str) -> str:
        """How one command of the block is tested: as the block, unless ``lines`` says otherwise for it."""
        return next((run for part, run, _ in self.lines if part in command), self.run)

    def replaced(self, text: str) -> str:
        for old, new in self.replace:
            assert old in text, f"{self.page}: {old} is not in: {text}"
            text = text.replace(old, new)
        return text


def book() -> dict[str, Any]:
    """docs/commands.yaml as it stands."""
    loaded: dict[str, Any] = yaml.safe_load(BOOK.read_text(encoding="utf-8"))
    return loaded


def rules() -> list[Rule]:
    """Its rows."""
    found = []
    for row in book()["blocks"]:
        row = dict(row)
        row["lines"] = tuple((line["with"], line["run"], line["why"]) for line in row.get("lines", ()))
        row["replace"] = tuple(row.get("replace", {}).items())
        row["prints"] = tuple(row.get("prints", ()))
        found.append(Rule(**row))
    return found


def ruled() -> list[tuple[Block, Rule]]:
    """Each block with its rule; a block without one is left out (``test_commands.py`` fails for it)."""
    table = rules()
    return [(block, rule) for block in blocks() for rule in table if rule.covers(block)]


def transcript(block: Block) -> list[tuple[str, str]]:
    """(command, what the page shows that it prints) of a console block."""
    parts = re.split(r"^\$ ", block.text, flags=re.M)[1:]
    return [(command.strip(), shown.strip("\n")) for command, _, shown in (part.partition("\n") for part in parts)]


def shows(shown: str, printed: str) -> bool:
    """Whether the lines that a page shows were printed in this order; ``...`` stands for anything, and what is cached may differ."""
    pattern = r"\[(to be cached|in the cache)\]"
    shown, printed = re.sub(pattern, "[cache]", shown), re.sub(pattern, "[cache]", printed)
    wanted = "".join(".*" if part == "..." else re.escape(part) for part in re.split(r"(\.\.\.)", shown.strip()))
    return re.search(wanted, printed, re.S) is not None
