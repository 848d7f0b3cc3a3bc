# SPDX-License-Identifier: Apache-2.0
"""The tool that changes one thing at a time: each change is one change, in code that is executed; a sample depends on its seed alone."""

from __future__ import annotations

import ast
import importlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    sys.path.insert(0, str(ROOT / "tools"))
    return importlib.import_module("mutants")


def changes(tool: ModuleType, file: str, text: str) -> set[str]:
    """The changed lines."""
    return {mutant.new_line for mutant in tool.mutants_of(file, text)}


def test_python_is_changed_where_it_is_executed(tool: ModuleType) -> None:
    text = '''"""Never 1."""
from typing import Literal
def work(count: Literal[3], name="x") -> int:
    """Not 2."""
    if count < 3 and not name:
        raise ValueError(f"{count + 1}")
    elif name:
        return False
    total = 2 * count
    total += 1
    print(total)
    return total - -1.5
'''
    assert changes(tool, "a.py", text) == {
        "if count <= 3 and not name:",
        "if count < 4 and not name:",
        "if count < 3 or not name:",
        "if count < 3 and name:",
        "if not (count < 3 and not name):",
        "total = 3 * count",
        "total = 2 + count",
        "elif not (name):",
        "return True",
        "total += 2",
        "pass",
        "return total + -1.5",
        "return total - 1.5",
        "return total - -2.25",
        "return None",
    }


def test_c_is_changed_outside_texts_and_comments(tool: ModuleType) -> None:
    text = '#include "a1.h"\n/* 3 < 4 */ #define LINES 0x20u\nif (m->x >> 2 < 10u && *p->q == \'1\') puts("7");\n'
    assert changes(tool, "a.c", text) == {
        "/* 3 < 4 */ #define LINES 0x21u",
        """if (m->x >> 3 < 10u && *p->q == '1') puts("7");""",
        """if (m->x >> 2 <= 10u && *p->q == '1') puts("7");""",
        """if (m->x >> 2 < 11u && *p->q == '1') puts("7");""",
        """if (m->x >> 2 < 10u || *p->q == '1') puts("7");""",
        """if (m->x >> 2 < 10u && *p->q != '1') puts("7");""",
    }


def test_tables_are_changed_in_one_value(tool: ModuleType) -> None:
    yaml_text = "rate: 5\nlimit: 2.5\non: true\nname: 'kws01'\nlong: >-\n  text 1\n"
    assert changes(tool, "a.yaml", yaml_text) == {"rate: 6", "limit: 25.0", "on: false", "name: 'kwt01'"}
    assert changes(tool, "a.json", '{"description": "abc",\n"type": "array", "maximum": 3}') == {
        '"type": "arsay", "maximum": 3}', '"type": "array", "maximum": 4}'
    }  # fmt: skip
    assert changes(tool, "a.csv", 'round,name\nv1.0,"a, b"\n') == {'v1.1,"a, b"', 'v1.0,"a, c"'}
    assert changes(tool, "y_labels.csv", "tst_1.bin,12,7\n") == {"tst_2.bin,12,7", "tst_1.bin,13,7", "tst_1.bin,12,8"}


@pytest.mark.parametrize(
    "file", ["src/cm4tiny/runner/energy.py", "src/cm4tiny/boards/virtual/cycle_model.py", "src/cm4tiny/runner/rules.yaml"]
)
def test_every_mutant_of_a_file_is_another_valid_file(tool: ModuleType, file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    found = tool.mutants_of(file, text)
    assert len({mutant.key for mutant in found}) == len(found) > 5
    read = ast.parse if file.endswith(".py") else yaml.safe_load
    before = ast.dump(ast.parse(text)) if file.endswith(".py") else json.dumps(yaml.safe_load(text))
    for mutant in found[::7]:
        after = read(mutant.apply(text))
        assert (ast.dump(after) if isinstance(after, ast.AST) else json.dumps(after)) != before, mutant


def test_a_sample_depends_on_its_seed_and_a_longer_one_begins_with_it(tool: ModuleType) -> None:
    files = {
        file: (ROOT / file).read_text(encoding="utf-8")
        for file in ("src/cm4tiny/runner/rules.yaml", "src/cm4tiny/verification/references.yaml")
    }
    first, again, other = (tool.sample(files, 20, seed, even=True) for seed in (1, 1, 2))
    assert first == again != other
    assert tool.sample(files, 30, 1, even=True)[:20] == first
    assert set(Counter(mutant.file for mutant in first).values()) == {10}
    moved = {file: f"# one line more\n{text}" for file, text in files.items()}
    assert [mutant.key for mutant in tool.sample(moved, 20, 1, even=True)] == [mutant.key for mutant in first]


def test_the_nearest_tests_come_first(tool: ModuleType) -> None:
    tests = tool.Tests(ROOT)
    assert tests.for_file("src/cm4tiny/benchmarks/metrics.py", 3)[0] == "tests/unit/benchmarks/test_metrics.py"
    assert tests.for_file("src/cm4tiny/boards/virtual/exceptions.c", 3)[0] == "tests/emulated/test_virtual_board_exceptions.py"
    model = "src/cm4tiny/results/rounds/model.py"
    line = next(n for n, text in enumerate((ROOT / model).read_text(encoding="utf-8").splitlines(), 1) if "def top(" in text) + 1
    reader = "tests/unit/results/test_session_readers.py"
    assert reader in tests.for_file(model, 12, line)[:2] and reader not in tests.for_file(model, 2), "it names the function"
    assert tests.for_file("cm-repo/cmr.yaml", 3)[0] == "tests/unit/resolver/test_step_metas.py"
    conv = tests.for_file("src/cm4tiny/firmware/kernels/conv.py", 3)
    assert conv[3:5] == ["tests/conformance/test_bit_exact_helpers.py", "tests/conformance/test_bit_exact_operators.py"]
    assert tests.for_file("src/cm4tiny/images/images.yaml", 9)[-1] == "tests/unit/test_table_digests.py"


def test_what_is_named_in_the_selection_exists(tool: ModuleType) -> None:
    from mutation import selection

    for node in (*selection.CHANGE_DETECTORS, selection.DIGESTS, selection.CONVENTIONS):
        file, _, name = node.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8") or not name
    assert all((ROOT / file).is_file() for files in selection.COMPARED.values() for file in files)
    for file in (file for files in selection.WITNESSES.values() for file in files):
        assert (ROOT / "tests" / "unit" / file).is_file()


def test_every_equivalent_mutant_exists_and_has_an_argument(tool: ModuleType) -> None:
    same = tool.equivalents()
    for file, line, changed in same:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert (line, changed) in {(m.old_line, m.new_line) for m in tool.mutants_of(file, text)}, (
            f"{file}: {line} -> {changed} does not exist"
        )
        assert len(same[file, line, changed]) > 20


@pytest.fixture
def worker(tool: ModuleType, tmp_path: Path) -> Iterator[Any]:
    """On an empty folder instead of a copy of the checkout."""
    (tmp_path / "checkout").mkdir()
    made = object.__new__(tool.Worker)
    made.tree, made.answer = tmp_path / "checkout", tmp_path / "answer.json"
    made.env = {"PYTHONPATH": str(tmp_path / "checkout"), "PATH": ""}
    made.limits, made.slow = {"cpu_s": 60, "wall_s": 300}, set()
    made.process = made._start()
    yield made
    made.close()


def test_a_change_is_killed_by_the_test_that_sees_it(worker: Any, tool: ModuleType) -> None:
    """In a process that forks, with the file as it was afterwards."""
    source, seen, unseen = (worker.tree / name for name in ("m.py", "test_seen.py", "test_unseen.py"))
    source.write_text("LIMIT = 3\n")
    seen.write_text("from m import LIMIT\ndef test_limit():\n    assert LIMIT == 3\n")
    unseen.write_text("import m\ndef test_nothing():\n    assert m\n")
    (mutant,) = tool.mutants_of("m.py", source.read_text())
    assert worker.judge(mutant, [["test_unseen.py"]]).status == "survived"
    killed = worker.judge(mutant, [["test_unseen.py"], ["test_seen.py"]])
    assert (killed.status, killed.by, killed.ran) == ("killed", "test_seen.py::test_limit", 2)
    assert source.read_text() == "LIMIT = 3\n"
    assert worker.ask([["test_seen.py"]])["status"] == "survived"


def test_a_digest_is_asked_when_the_time_is_spent_and_slow_tests_run_last(worker: Any, tool: ModuleType, monkeypatch: Any) -> None:
    source, digest, slow = (worker.tree / name for name in ("m.py", "test_digest.py", "test_slow.py"))
    source.write_text("LIMIT = 3\n")
    digest.write_text("from m import LIMIT\ndef test_limit():\n    assert LIMIT == 3\n")
    slow.write_text(
        "import time\ndef test_first():\n    end = time.process_time() + 1.2\n    while time.process_time() < end: pass\n"
        "def test_second(): pass\n"
    )
    (mutant,) = tool.mutants_of("m.py", source.read_text())
    monkeypatch.setattr(tool, "DIGESTS", "test_digest.py")
    worker.limits["cpu_s"] = 1
    assert worker.judge(mutant, [["test_slow.py"]]).status == "spent"
    assert worker.slow == {"test_slow.py::test_first"}
    worker.limits["cpu_s"] = 0.0
    killed = worker.judge(mutant, [["test_slow.py"], ["test_digest.py"]])
    assert (killed.status, killed.by) == ("killed", "test_digest.py::test_limit")


def test_a_test_that_ends_the_process_is_named(worker: Any) -> None:
    (worker.tree / "test_ends.py").write_text("import os\ndef test_first(): pass\ndef test_ends(): os._exit(1)\n")
    answer = worker.ask([["test_ends.py"]])
    assert (answer["status"], answer["by"]) == ("died", "test_ends.py::test_ends")


@pytest.mark.parametrize("said", [None, "", "/autogroup-7 nice 5\n"], ids=["no such file", "in a control group", "weight"])
def test_a_child_starts_whatever_the_kernel_says_of_its_weight(tool: ModuleType, tmp_path: Path, said: str | None) -> None:
    server = importlib.import_module("mutation.server")
    group = tmp_path / "autogroup"
    if said is not None:
        group.write_text(said)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            server._in_background(group)
            status = 0 if os.getsid(0) == os.getpid() else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert (group.read_text() if said is not None else None) == ("5" if said else said)
