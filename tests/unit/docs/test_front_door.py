# SPDX-License-Identifier: Apache-2.0
"""What a stranger finds first is there and true: contributing, citation, templates, hooks, news fragments, the API statement."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.documented import ROOT, fenced, pages

import cm4tiny

FRAGMENTS = ROOT / "changelog.d"
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)")


def test_the_citation_is_of_this_version_and_has_the_fields_of_its_format() -> None:
    """The fields that CFF 1.2.0 requires, and their forms (citation-file-format, schema.json); `cffconvert --validate` agrees."""
    cited: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert cited["cff-version"] == "1.2.0" and cited["type"] == "software"
    assert cited["authors"] and all(set(author) <= {"name", "given-names", "family-names"} for author in cited["authors"])
    assert str(cited["version"]) == cm4tiny.__version__
    assert cited["license"] in PYPROJECT


def test_every_news_fragment_has_a_kind_and_a_sentence() -> None:
    kinds = re.findall(r'^directory = "(\w+)"$', PYPROJECT, re.M)
    assert kinds == ["added", "changed", "fixed", "removed"]
    for path in FRAGMENTS.glob("*.md"):
        assert re.fullmatch(rf"(\+[a-z0-9-]+|\d+)\.({'|'.join(kinds)})(\.\d+)?\.md", path.name), path.name
        text = path.read_text(encoding="utf-8").strip()
        assert text.endswith(".") and "\n\n" not in text, path.name
    assert [path.name for path in FRAGMENTS.iterdir() if path.suffix != ".md" and path.name != ".gitignore"] == []
    assert "<!-- releases -->\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_hooks_are_those_of_the_environment() -> None:
    """Local ones: a hook of another repository would be another version than CI's, and code that nobody pinned."""
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    assert {hook["entry"].split()[0] for hook in repos[0]["hooks"]} == {"ruff", "mypy", "python"}
    assert all((ROOT / word).is_file() for hook in repos[0]["hooks"] for word in hook["entry"].split() if word.endswith(".py"))


def test_nothing_that_is_tracked_is_ignored() -> None:
    """The wheel leaves out what .gitignore names: with ``site/`` in it, the dashboard's files were missing from an installed package."""
    asked = ["git", "-C", str(ROOT), "ls-files", "--cached", "--ignored", "--exclude-standard"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("needs a git checkout")
    assert listed.stdout.splitlines() == []


@pytest.mark.parametrize("form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.name)
def test_an_issue_form_has_what_the_service_asks_for(form: Path) -> None:
    found = yaml.safe_load(form.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(found)
    names = [part["id"] for part in found["body"]]
    assert len(names) == len(set(names))
    assert all(part["type"] in {"textarea", "input", "dropdown", "markdown"} and part["attributes"]["label"] for part in found["body"])


def test_every_name_that_the_api_page_calls_stable_can_be_imported() -> None:
    rows = re.findall(r"^\| `(cm4tiny[\w.]*)` \| (.*?) \|", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.M)
    assert len(rows) > 4
    for module, names in rows:
        for name in re.findall(r"`(\w+)`", names):
            assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


def test_every_import_in_an_example_of_the_manual_works() -> None:
    found = [line for page in pages() for block in fenced(page) if block.language == "python" for line in block.text.splitlines()]
    imports = [match for line in found if (match := re.match(r"from (cm4tiny[\w.]*) import (.+)", line))]
    assert len(imports) > 4
    for match in imports:
        module = importlib.import_module(match[1])
        for name in map(str.strip, match[2].split(",")):
            assert hasattr(module, name) or importlib.util.find_spec(f"{match[1]}.{name}"), match[0]


def test_readme_leads_to_every_page() -> None:
    """README is the home page of the repository, docs/index.md of the manual (test_site.py)."""
    reached, new = set(), {"README.md"}
    while new:
        page = new.pop()
        reached.add(page)
        folder = (ROOT / page).parent
        links = {(folder / link).resolve() for link in LINK.findall((ROOT / page).read_text(encoding="utf-8")) if "://" not in link}
        found = {path.relative_to(ROOT).as_posix() for path in links if path.suffix == ".md" and path.is_file() and ROOT in path.parents}
        new |= found - reached
    inner = ("cm-repo/", ".github/", "src/", "tools/", "changelog.d/", "tests/")
    assert {page for page in pages() if not page.startswith(inner)} - reached == set()


def test_no_address_of_a_repository_is_made_up() -> None:
    """There is no public address yet; docs/release.md says where it goes."""
    assert "[project.urls]" not in PYPROJECT
    assert "project.urls" in (ROOT / "docs" / "release.md").read_text(encoding="utf-8")
    assert "repository-code" not in json.dumps(yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8")))
