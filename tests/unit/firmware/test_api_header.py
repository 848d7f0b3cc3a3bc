# SPDX-License-Identifier: Apache-2.0
"""``api.h`` holds names of MLPerf Tiny's public API and nothing else, those that the harness uses; ``harness.h`` the harness's own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from cm4tiny.paths import firmware_sources

HARNESS = firmware_sources() / "harness"
UPSTREAM = Path(os.environ.get("CM4TINY_UPSTREAM", "/nonexistent")) / "tiny" / "benchmark" / "api"
_DECLARED = re.compile(r"^#define (\w+)|^[\w ]+[ *](\w+)\([^;]*;|\b(EE_ARG_\w+)", re.M)


def declared(name: str) -> set[str]:
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", (HARNESS / name).read_text(encoding="utf-8"), flags=re.S).replace(" __attribute__", "; ")
    return {next(word for word in match.groups() if word) for match in _DECLARED.finditer(text)} - {"CM4TINY_API_H", "CM4TINY_HARNESS_H"}


@pytest.mark.parametrize(("header", "least"), [("api.h", 25), ("harness.h", 11)])
def test_everything_declared_is_used(header: str, least: int) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in sorted(HARNESS.glob("*.c")))
    names = declared(header)
    assert len(names) >= least
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", code)] == []


def test_names_of_the_api_begin_as_its_names_do_and_others_do_not() -> None:
    api = re.compile(r"(ee|th|EE|TH)_\w+|MAX_DB_INPUT_SIZE")
    assert [name for name in sorted(declared("api.h")) if not api.fullmatch(name)] == []
    assert [name for name in sorted(declared("harness.h")) if api.fullmatch(name)] == []


@pytest.mark.upstream
@pytest.mark.skipif(not UPSTREAM.is_dir(), reason="CM4TINY_UPSTREAM names no folder with a clone of mlcommons/tiny")
def test_the_public_api_has_each_name() -> None:
    theirs = "\n".join((UPSTREAM / f"{name}_implemented.h").read_text(encoding="utf-8") for name in ("internally", "submitter"))
    assert [name for name in sorted(declared("api.h")) if not re.search(rf"\b{name}\b", theirs)] == []
