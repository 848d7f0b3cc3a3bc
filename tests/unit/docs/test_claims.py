# SPDX-License-Identifier: Apache-2.0
"""Each number of README and docs is tied to what makes it; what this checkout can compute is computed."""

from __future__ import annotations

import ast
import importlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from support.claim_values import VALUES

ROOT = Path(__file__).parents[3]
BOOK = yaml.safe_load((ROOT / "docs" / "claims.yaml").read_text(encoding="utf-8"))
CLAIMS: list[dict[str, Any]] = BOOK["claims"]
PAGES = ["README.md", *sorted(f"docs/{path.relative_to(ROOT / 'docs').as_posix()}" for path in (ROOT / "docs").rglob("*.md"))]
WRITTEN = [page for page in PAGES if page not in BOOK["generated"]]

#: A number that stands for itself: not part of a word, a version, an address or a name.
NUMBER = re.compile(r"(?<![\w.\-/])\d[\d,]*(?:\.\d+)?(?![\w.]*\d|\w)")
#: What is not a measurable quantity although it has the form of one.
NAMES = re.compile(
    r"Python 3\.\d+(?: (?:to|and) 3\.\d+)?|(?:round|version|since|tag|RO-Crate|Debian|gcc|GCC|pandas|numpy|TensorFlow|OpenOCD|"
    r"stlink-tools|pyOCD|librosa|ai-edge-litert|XlsxWriter`?) v?\d[\w.]*(?: to \d[\w.]*)?|"
    r"(?:January|August|December|November)(?: \d+\w*,)? \d{4}|CC BY(?:-NC-SA)? \d\.\d|Apache-\d\.\d|COCO \d{4}|[a-z]+ 2020|Krizhevsky \d{4}"
)


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def lines_of(page: str) -> list[tuple[str, int, str]]:
    """(heading, where the line begins, line) of all lines outside code blocks; other things than prose are blanked out."""
    found, heading, code, place = [], "", False, 0
    for line in text_of(page).splitlines(keepends=True):
        if line.startswith("```"):
            code = not code
        elif line.startswith("#") and not code:
            heading = line.lstrip("#").strip()
        elif not code:
            shown = line
            for pattern in (r"`[^`]*`", r"\]\([^)]*\)", r"^\d+\. ", NAMES):
                shown = re.sub(pattern, lambda match: " " * len(match[0]), shown)
            found.append((heading, place, shown))
        place += len(line)
    return found


def computed(how: str) -> str:
    """A value as a claim names it."""
    if " ~ " in how:
        file, _, pattern = how.partition(" ~ ")
        match = re.search(pattern, (ROOT / file).read_text(encoding="utf-8"))
        assert match is not None, f"{pattern} is not in {file}"
        if file.endswith("lines.py"):
            return str(1 << (int(match[1]) - 10))
        return match[1]
    if ":" in how:
        module, _, name = how.partition(":")
        value: Any = getattr(importlib.import_module(module), name)
    else:
        value = VALUES[how]()
    return f"{value:g}" if isinstance(value, float) else str(value)


def filled_in(claim: dict[str, Any]) -> str:
    text: str = claim["text"]
    for name, how in claim["values"].items():
        text = text.replace("{" + name + "}", computed(how))
    return text


def covers(claim: dict[str, Any], page: str, heading: str, start: int, end: int, line: str) -> bool:
    if claim["page"] != page:
        return False
    if "text" in claim:
        pattern = "".join(
            rf"(?P<{p[1:-1]}>[\d.,]+)" if re.fullmatch(r"\{\w+\}", p) else re.escape(p) for p in re.split(r"(\{\w+\})", claim["text"])
        )
        return any(m.start() <= start and end <= m.end() for m in re.finditer(pattern, text_of(page)))
    return claim["section"] == heading and re.search(claim.get("lines", ""), line) is not None


def test_the_book_has_the_form_of_its_schema() -> None:
    jsonschema.validate(BOOK, json.loads((ROOT / "docs" / "claims.schema.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("claim", [c for c in CLAIMS if "text" in c], ids=lambda c: f"{c['page']}: {c['text'][:40]}")
def test_a_number_that_can_be_computed_is_what_the_page_says(claim: dict[str, Any]) -> None:
    assert filled_in(claim) in text_of(claim["page"]), f"{claim['page']} does not say: {filled_in(claim)}"


@pytest.mark.parametrize("page", WRITTEN)
def test_every_number_is_tied_to_what_makes_it(page: str) -> None:
    claims = [claim for claim in CLAIMS if claim["page"] == page]
    untied = [
        f"{heading}: {match[0]} in: {line.strip()[:120]}"
        for heading, place, line in lines_of(page)
        for match in NUMBER.finditer(line)
        if not any(
            covers(claim, page, heading, place + match.start(), place + match.end(), text_of(page)[place : place + len(line)])
            for claim in claims
        )
    ]
    assert untied == [], "add an entry to docs/claims.yaml, or leave the number out"


@pytest.mark.parametrize("claim", [c for c in CLAIMS if "section" in c], ids=lambda c: f"{c['page']}: {c['section'][:40]}")
def test_an_entry_for_a_section_covers_something(claim: dict[str, Any]) -> None:
    page = claim["page"]
    assert any(
        covers(claim, page, heading, place, place, text_of(page)[place : place + len(line)]) and NUMBER.search(line)
        for heading, place, line in lines_of(page)
    )


def functions_of(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)}


def test_the_tests_and_commands_that_are_named_exist() -> None:
    named = [row["test"] for row in BOOK["generated"].values()] + [claim["long"] for claim in CLAIMS if "long" in claim]
    for name in named:
        file, _, function = name.partition("::")
        assert function in functions_of(ROOT / file), name
    for command in [row["by"] for row in BOOK["generated"].values()] + [claim["measured_by"] for claim in CLAIMS if "measured_by" in claim]:
        words = command.split()
        assert words[0] == "python" and ((ROOT / words[1]).is_file() or words[1] == "-m"), command
        if words[1] == "benchmarks/run.py":
            assert all((ROOT / "benchmarks" / f"{part}.py").is_file() for part in words[2:]), command
    assert all((ROOT / row["from"]).is_file() for row in BOOK["generated"].values() if "from" in row)


def test_every_generated_page_exists() -> None:
    assert set(BOOK["generated"]) <= set(PAGES)
