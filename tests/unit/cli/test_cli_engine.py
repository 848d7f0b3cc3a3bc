# SPDX-License-Identifier: Apache-2.0
"""A step run as a library: what its flags change in the process, and only while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from cm4tiny.cli.engine import StepRun
from cm4tiny.events import EventStream
from cm4tiny.network import OFFLINE_VARIABLE, is_offline


@pytest.mark.parametrize(
    ("flags", "before", "during"), [({}, None, False), ({"offline": "yes"}, None, True), ({"offline": "yes"}, "no", True)]
)
def test_offline_holds_for_the_chain_and_ends_with_it(
    flags: dict[str, str], before: str | None, during: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CM_REPOS", str(tmp_path))
    monkeypatch.delenv(OFFLINE_VARIABLE, raising=False)
    if before is not None:
        monkeypatch.setenv(OFFLINE_VARIABLE, before)
    seen: list[tuple[bool, object]] = []
    monkeypatch.setattr("cm4tiny.resolver.adapter.command.carry_out", lambda _, flags: seen.append((is_offline(), flags)) or {"return": 0})
    assert StepRun({"tags": "get,microtvm", **flags}, EventStream()).run() == {"return": 0}
    assert seen == [(during, {"tags": "get,microtvm"})]
    assert is_offline() is False
