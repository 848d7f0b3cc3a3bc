# SPDX-License-Identifier: Apache-2.0
"""docs/command-line.md and docs/reference/command-line.md say what the code does."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

from cm4tiny.cli.engine import script_of
from cm4tiny.cli.exit_status import ExitStatus, status_of
from cm4tiny.cli.group import VERBS as ALL
from cm4tiny.cli.hints import translated
from cm4tiny.cli.output import SCHEMA
from cm4tiny.cli.parameters import requests_of
from cm4tiny.cli.step_verbs import command
from cm4tiny.cli.verbs import VERBS
from cm4tiny.errors import LinkError, MismatchError, RuleError, ScriptFailedError, ScriptNotFoundError, UsageError, VariationError
from cm4tiny.resolver.adapter.command import INTERRUPTED, READER_GONE, TERMINATED

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
TOOL = runpy.run_path(str(ROOT / "tools" / "reference_pages.py"))


def rows(name: str) -> list[list[str]]:
    """The cells of a table between ``<!-- name -->`` and ``<!-- end of name -->``."""
    part = PAGE.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- end of {name} -->")[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in part.splitlines()]


def test_the_reference_is_what_help_prints() -> None:
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert page == TOOL["verbs_page"](), "run: python tools/reference_pages.py"


def test_the_table_of_verbs_is_the_one_of_the_code() -> None:
    tags = {name: f"`{verb.tags}`" for name, verb in VERBS.items()}
    assert rows("verbs") == [[f"`{name}`", text, tags.get(name, "")] for name, (_, text) in ALL.items()]


def test_the_table_of_exit_statuses_is_the_one_of_the_code() -> None:
    assert rows("exit statuses") == [[str(int(status)), status.meaning.replace("|", "\\|")] for status in ExitStatus]
    assert f"`{SCHEMA}`" in PAGE
    assert (ExitStatus.INTERRUPTED, ExitStatus.READER_GONE, ExitStatus.TERMINATED) == (INTERRUPTED, READER_GONE, TERMINATED)


MAPPED = re.findall(r"^\| `([a-z_,A-Z0-9.]+)` \| `cm4tiny ([^`]+)` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("tags", "typed"), MAPPED)
def test_words_and_tags_mean_each_other(tags: str, typed: str) -> None:
    name, *words = shlex.split(typed)
    ctx = command(name).make_context(name, words)
    given = {key: value for key, value in ctx.params.items() if key not in ("json", "verbose")}
    made = requests_of(VERBS[name], script_of(VERBS[name].alias), given)
    assert [set(request["tags"].split(",")) for request in made] == [set(tags.split(","))]
    assert translated(f"cm run script --tags={tags}").startswith(f"cm4tiny {name}")


def test_the_page_maps_verbs_of_all_kinds() -> None:
    assert len(MAPPED) >= 7


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("x"), ExitStatus.USAGE),
        (VariationError("x"), ExitStatus.USAGE),
        (ScriptNotFoundError("x"), ExitStatus.USAGE),
        (MismatchError("x"), ExitStatus.FINDING),
        (RuleError("x"), ExitStatus.FINDING),
        (LinkError("x"), ExitStatus.FAILED),
        (ScriptFailedError("x"), ExitStatus.FAILED),
    ],
)
def test_an_error_has_its_exit_status(error: Exception, status: ExitStatus) -> None:
    assert status_of(error) is status  # type: ignore[arg-type]


def test_a_finding_that_a_step_returned_is_still_one() -> None:
    failed = ScriptFailedError("script 'replay-mlperf-tiny' failed in preprocess: 1 claim")
    failed.returned_kind = "MismatchError"
    assert status_of(failed) is ExitStatus.FINDING
