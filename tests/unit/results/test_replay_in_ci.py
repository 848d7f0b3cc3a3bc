# SPDX-License-Identifier: Apache-2.0
"""The CI workflow runs the documented command on every public round, and passes hostile input to no shell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from cm4tiny.results.rounds import ROUNDS

ROOT = Path(__file__).parents[3]
WORKFLOW = ROOT / ".github/workflows/replay.yml"
PUBLIC = [round_.id for round_ in ROUNDS.values() if round_.repository]

pytestmark = pytest.mark.skipif(not WORKFLOW.is_file(), reason="needs a checkout")


def test_the_workflow_replays_every_public_round() -> None:
    text = WORKFLOW.read_text()
    (listed,) = re.findall(r"list=(\[\"v0\.5\".*\])' >>", text)
    assert yaml.safe_load(listed) == PUBLIC


def test_nothing_that_a_user_types_reaches_a_shell_as_code() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert commands
    assert not any("inputs." in command or "github.event" in command for command in commands)


def test_actions_are_named_by_commit_with_their_version_beside_it() -> None:
    """A tag can be moved to other code, a commit cannot."""
    used = [line.strip() for file in WORKFLOW.parent.glob("*.yml") for line in file.read_text().splitlines() if "uses:" in line]
    used = [line for line in used if "uses: ./" not in line]
    assert used
    assert [line for line in used if not re.search(r"uses: [\w/-]+@[0-9a-f]{40} # v\d+(\.\d+)*$", line)] == []


@pytest.mark.parametrize("script", ["replay-mlperf-tiny", "get-mlperf-tiny-results"])
def test_the_scripts_offer_every_public_round(script: str) -> None:
    meta = yaml.safe_load((ROOT / "cm-repo/script" / script / "_cm.yaml").read_text())
    assert set(PUBLIC) <= set(meta["variations"])
    if script == "replay-mlperf-tiny":
        assert [dep["tags"].rsplit("_", 1)[1] for dep in meta["deps"] if dep["tags"].startswith("get,mlperf,tiny,results")] == PUBLIC
