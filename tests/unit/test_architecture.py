# SPDX-License-Identifier: Apache-2.0
"""The picture in docs/architecture.md is true: imports lead downwards, and no modules or rooms import each other in a circle."""

from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOUSE: dict[str, Any] = runpy.run_path(str(ROOT / "tools" / "house.py"))
GRAPH = HOUSE["import_graph"]()
PICTURES = HOUSE["pictures"]((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
LEFT = [set(circle) for circle in yaml.safe_load((Path(__file__).parent / "circles.yaml").read_text(encoding="utf-8"))]


def test_the_page_has_pictures_of_the_package_and_of_its_largest_rooms() -> None:
    assert {"cm4tiny", "cm4tiny.resolver", "cm4tiny.results"} <= set(PICTURES)


@pytest.mark.parametrize("package", PICTURES)
def test_imports_lead_downwards(package: str) -> None:
    allowed = [f"{a} imports {b}" for circle in LEFT for a in circle for b in circle]
    problems = HOUSE["against_picture"](GRAPH, package, PICTURES[package])
    assert [problem for problem in problems if problem not in allowed] == [], "correct the import, or the picture in docs/architecture.md"


def test_no_circles_but_those_that_are_left() -> None:
    found = HOUSE["all_circles"](GRAPH)
    new = [circle for circle in found if not any(set(circle) <= known for known in LEFT)]
    assert new == [], "these import each other: move what both need into a module below them"


def test_the_list_of_circles_only_shrinks() -> None:
    found = [set(circle) for circle in HOUSE["all_circles"](GRAPH)]
    gone = [sorted(known) for known in LEFT if not any(circle <= known for circle in found)]
    assert gone == [], "well done: take these out of tests/unit/circles.yaml"


def test_what_has_one_home_is_done_nowhere_else() -> None:
    found = dict(HOUSE["one_home"]([path for path in HOUSE["product_files"]() if path.suffix == ".py"]))
    assert len(found) == 7
    assert [place for places in found.values() for place in places] == [], "use cm4tiny.files, digests and settings"


def test_what_ships_is_reached_by_a_users_request() -> None:
    """Programs that measure this project or write its manual stand in ``benchmarks`` and ``tools``, which are not installed."""
    assert HOUSE["unreached"](GRAPH) == [], "move it out of the package, or take it away"
    assert HOUSE["unreached"]({**GRAPH, "cm4tiny.results.unused": {"cm4tiny.errors"}}) == ["cm4tiny.results.unused"]


def test_no_two_files_of_tests_have_one_name() -> None:
    """pytest imports them by it: of two, the second is not collected, and a run of one folder does not show it."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_the_resolver_stands_on_the_foundation_only() -> None:
    below = {
        name.split(".")[1] for module, names in GRAPH.items() if module.startswith("cm4tiny.resolver") for name in names if "." in name
    }
    foundation = {
        "digests", "disk", "errors", "events", "files", "locks", "network", "packages", "paths", "scratch", "settings", "standard_output",
    }  # fmt: skip
    assert below - foundation == {"resolver"}


class TestTheTool:
    """What the tests above rest on."""

    def test_circles_are_found_whatever_their_length(self) -> None:
        graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"f"}, "f": {"e"}}
        assert HOUSE["circles"](graph) == [("a", "b", "c"), ("e", "f")]

    def test_rooms_are_in_a_circle_even_where_no_two_modules_are(self) -> None:
        graph = {"p.a.x": {"p.b.x"}, "p.b.x": set(), "p.b.y": {"p.a.y"}, "p.a.y": set()}
        assert HOUSE["circles"](graph) == []
        assert HOUSE["all_circles"](graph) == [("p.a", "p.b")]

    def test_imports_in_functions_and_for_types_count(self, tmp_path: Path) -> None:
        folder = tmp_path / "cm4tiny"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "a.py").write_text("def f():\n    from cm4tiny import b\n    from cm4tiny.c import x\n    import os, cm4tiny.d\n")
        (folder / "b.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cm4tiny.c import X\n")
        for name in "cd":
            (folder / f"{name}.py").write_text("")
        graph = HOUSE["import_graph"](tmp_path)
        assert graph["cm4tiny.a"] == {"cm4tiny.b", "cm4tiny.c", "cm4tiny.d"}
        assert graph["cm4tiny.b"] == {"cm4tiny.c"}

    def test_renames_and_digests_are_found_in_every_spelling(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "a.py"
        file.write_text(
            "a.rename(b)\na.replace(b)\nos.replace(a, b)\nx.replace('a', 'b')\nreplace(x, y=1)\nsha256(\n p.read_bytes())\nsha256(b'')\n"
        )
        monkeypatch.setitem(HOUSE["_calls"].__globals__, "ROOT", tmp_path)
        assert HOUSE["renames"]([file]) == ["a.py:1", "a.py:2", "a.py:3"]
        assert HOUSE["digests_of_whole_files"]([file]) == ["a.py:6"]
        file = tmp_path / "b.py"
        file.write_text("x in ('yes', 'no')\ny = {'on', 'off', ''}\nz = ['yes', 'maybe']\nw = frozenset({'false', 'no'})\n")
        assert sorted(HOUSE["words_for_switches"]([file])) == ["b.py:1", "b.py:2", "b.py:4"]

    def test_a_picture_is_held_to_be_true(self) -> None:
        lines = HOUSE["pictures"]("x\n<!-- rooms of p -->\n\n```text\na b    the top\nc\nghost\n```\n")["p"]
        assert lines == [["a", "b"], ["c"], ["ghost"]]
        graph = {"p.a": {"p.c"}, "p.b": {"p.a"}, "p.c": {"p.b"}, "p.new": set()}
        assert HOUSE["against_picture"](graph, "p", lines) == [
            "p.new is not in the picture",
            "p.ghost is in the picture and does not exist",
            "p.b imports p.a",
            "p.c imports p.b",
        ]


def test_public_names_of_classes_mean_one_thing() -> None:
    doubled = HOUSE["doubled_classes"]()
    assert len(doubled) <= 5, doubled
