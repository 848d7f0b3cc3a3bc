# SPDX-License-Identifier: Apache-2.0
"""docs/commands.yaml says of every command in README, docs and workflows how it is tested; nothing is left out and nothing is made up."""

from __future__ import annotations

import ast
import json

import jsonschema
import pytest
from support.documented import BOOK, ROOT, SHELLS, Block, Rule, blocks, book, fenced, pages, ruled, rules

NOT_SHELL = {"python", "yaml", "json", "toml", "csv", "text", "c"}
ALL = blocks()


def test_the_book_has_the_form_of_its_schema() -> None:
    jsonschema.validate(book(), json.loads(BOOK.with_suffix(".schema.json").read_text(encoding="utf-8")))


def test_many_blocks_are_found() -> None:
    assert len(ALL) > 60
    assert {block.language for block in ALL} == {"bash", "console", "workflow"}


@pytest.mark.parametrize("page", [page for page in pages() if fenced(page)])
def test_every_fenced_block_names_its_language(page: str) -> None:
    assert [block.text[:60] for block in fenced(page) if block.language not in {*SHELLS, *NOT_SHELL}] == []


def test_every_block_is_classified_once() -> None:
    found = {(block.page, block.first): [rule for rule in rules() if rule.covers(block)] for block in ALL}
    assert [key for key, rows in found.items() if len(rows) != 1] == [], "add a row to docs/commands.yaml"


def test_every_row_has_a_block_and_every_line_a_command() -> None:
    table = ruled()
    assert [(row.page, row.block) for row in rules() if not any(rule == row for _, rule in table)] == []
    commands = {(rule.page, rule.block): [c for block, other in table if other == rule for c in block.commands] for _, rule in table}
    for row in rules():
        for part, _, _ in row.lines:
            assert any(part in command for command in commands[row.page, row.block]), (row.page, part)


@pytest.mark.parametrize("rule", [rule for rule in rules() if rule.test], ids=lambda rule: f"{rule.page} {rule.block[:30]}")
def test_a_test_that_executes_a_block_exists(rule: Rule) -> None:
    file, _, name = rule.test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_a_command_ends_where_its_line_does() -> None:
    block = Block("x", "bash", "cm run a \\\n  --b   # why\n# a comment\necho '#1'\n")
    assert block.commands == ("cm run a --b", "echo '#1'")
    assert Block("x", "console", "$ cm a  # b\nsaid\n").commands == ("cm a",)
    assert block.first == "cm run a"


def test_a_rule_speaks_of_a_command_by_a_part_of_it() -> None:
    rule = Rule("x", "*", "ci", lines=(("_vww", "network", "fetched"),))
    assert (rule.mode("cm run _vww"), rule.mode("cm run _kws")) == ("network", "ci")
    with pytest.raises(AssertionError, match="FILE is not in"):
        Rule("x", "*", "ci", replace=(("FILE", "a"),)).replaced("cm run")
