# SPDX-License-Identifier: Apache-2.0
"""Every place that uses the network asks whether it may."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

import cm4tiny
from cm4tiny.errors import AssetError, ToolchainError
from cm4tiny.network import is_offline, offline_as, pip_options, require_network

ROOT = Path(cm4tiny.__file__).parent
GATE = {"is_offline", "require_network", "pip_options", "FORBIDDEN"}
BELOW_A_GATE = {"fetch/http.py": "fetch/fetcher.py"}
"""Module that uses the network -> the only module that calls it."""
DOORS = re.compile(r"""requests\.(get|Session|post)|urlopen|"(pip|apt-get)"|"(fetch|clone|ls-remote|download|install)",""")


def test_every_module_that_reaches_the_network_asks_first() -> None:
    doors = {}
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if DOORS.search(text):
            names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
            doors[path.relative_to(ROOT).as_posix()] = bool(names & GATE)
    assert {"fetch/git.py", "wheels.py", "firmware/toolchain.py", "firmware/c_library.py", "results/checker_tools.py"} <= set(doors)
    assert [name for name, asks in doors.items() if not asks and name not in BELOW_A_GATE] == []


@pytest.mark.parametrize("module", BELOW_A_GATE)
def test_a_module_below_a_gate_is_called_from_there_only(module: str) -> None:
    name = f"cm4tiny.{module.removesuffix('.py').replace('/', '.')}"
    callers = [
        p.relative_to(ROOT).as_posix()
        for p in ROOT.rglob("*.py")
        if re.search(rf"from {re.escape(name)} import .*\bdownload\b", p.read_text())
    ]
    assert callers == [BELOW_A_GATE[module]]


@pytest.mark.parametrize(("value", "offline"), [("yes", True), ("1", True), ("anything", True), ("no", False), ("Off", False), ("", False)])
def test_the_variable_forbids_the_network(value: str, offline: bool) -> None:
    assert is_offline({"CM_TINY_OFFLINE": value}) == offline


def test_the_key_of_a_step_counts_within_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CM_TINY_OFFLINE", raising=False)
    with offline_as({"CM_TINY_OFFLINE": "yes"}):
        assert is_offline()
        with pytest.raises(AssetError, match="no model") as caught:
            require_network("no model", AssetError, "give a mirror")
        assert "CM_TINY_OFFLINE" in caught.value.why and "give a mirror" in caught.value.hint
    assert "CM_TINY_OFFLINE" not in os.environ
    require_network("no model", AssetError, "give a mirror")


def test_pip_searches_local_folders_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert pip_options("no zig", ToolchainError) == []
    monkeypatch.setenv("CM_TINY_OFFLINE", "yes")
    with pytest.raises(ToolchainError, match="no zig"):
        pip_options("no zig", ToolchainError)
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    assert pip_options("no zig", ToolchainError) == ["--no-index"]
