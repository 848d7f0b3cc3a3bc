# SPDX-License-Identifier: Apache-2.0
"""Reference pages that are made from metas, and the committed one of this project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cm4tiny.resolver.catalogue.reference import page_of, whole_page
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories
from cm4tiny.resolver.language.meta import Script

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "scripts.md"


def test_the_committed_page_is_the_one_made_from_the_metas() -> None:
    made = whole_page(ScriptStore(own_repositories()).scripts)
    assert PAGE.read_text(encoding="utf-8") == made, "run: python tools/reference_pages.py"


def test_a_page_names_everything_that_a_user_can_set(tmp_path: Path) -> None:
    meta: dict[str, Any] = {
        "alias": "a", "uid": "0123456789abcdef", "tags": ["a", "b"], "cache": True, "default_version": "2", "versions": {"1": {}, "2": {}},
        "default_env": {"CM_D": "x|y"}, "env": {"CM_E": 1}, "const": {"CM_C": "c"}, "input_mapping": {"board": "CM_BOARD"},
        "input_description": {"board": {"desc": "which board", "choices": ["p", "q"], "default": "p"}},
        "variations": {
            "v": {"group": "g", "default": True, "base": ["w"], "env": {"CM_V": "1"}}, "w": {"desc": "the other"}, "z": {"alias": "w"},
        },
        "deps": [
            {"tags": "c,d", "names": ["cee"], "enable_if_env": {"CM_D": ["on", "off"]}, "skip_if_any_env": {"X": ["1"], "Y": [True]}},
        ],
        "new_env_keys": ["CM_OUT_*"], "new_state_keys": ["out"],
    }  # fmt: skip
    (tmp_path / "README-extra.md").write_text("# Title\n\n    code\n\nDoes a thing\nin two lines\n")
    page = page_of(Script(tmp_path, meta))
    for row in (
        "Does a thing in two lines.",
        "uid `0123456789abcdef`, cached",
        "cm run script --tags=a,b",
        "| `CM_D` | `x\\|y` | default |",
        "| `CM_E` | `1` | always |",
        "| `CM_C` | `c` | here and in all dependencies |",
        "| `--board` | `CM_BOARD` | which board (p, q) | `p` |",
        "| `_v` | g (default) | with `_w`; sets `CM_V=1` |",
        "| `_w` |  | the other |",
        "| `_z` |  | same as `_w` |",
        "`1`, `2`.",
        "Default: `2`.",
        "| first | `c,d` | cee | if `CM_D` is on or off; not if `X` is 1 or `Y` is True |",
        "| environment | `CM_OUT_*` |",
        "| state | `out` |",
    ):
        assert row in page, row


def test_a_meta_with_nothing_but_an_identity_has_a_page(tmp_path: Path) -> None:
    assert page_of(Script(tmp_path, {"alias": "a", "uid": "0123456789abcdef", "tags": ["a"]})).startswith("# a\n\n```bash\n")


def test_a_repository_without_scripts_has_an_empty_page() -> None:
    assert whole_page([]).strip().splitlines() == [
        "# Scripts",
        "",
        "All steps, with their tags, variations, flags and results. The page is written from the metas by",
        "`python tools/reference_pages.py`.",
    ]
