# SPDX-License-Identifier: Apache-2.0
"""A finding is a result: it is shown, its exit status says so, and a program gets it in one object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.lay import rounds

from cm4tiny.cli.exit_status import ExitStatus
from cm4tiny.cli.main import main


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout of a round."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CM_REPOS", str(tmp_path / "CM"))
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CM_TINY_OFFLINE", "yes")
    rounds(tmp_path / "tiny_results_v1.1")
    return tmp_path / "tiny_results_v1.1"


def test_a_submission_that_breaks_rules_is_a_finding(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(checkout)]) == ExitStatus.FINDING
    out, err = capfd.readouterr()
    assert "structure.modes" in out and "audit.json" in out
    assert "error: this cannot be submitted" in err and "Traceback" not in err


def test_with_json_the_findings_and_the_error_are_one_object(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(checkout), "--json"]) == ExitStatus.FINDING
    told = json.loads(capfd.readouterr().out)
    assert told["exit_status"] == 3 and told["error"]["kind"] == "RuleError"
    assert "structure.modes" in told["result"]["shown"][0]


def test_a_round_whose_claims_hold_is_replayed(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "v1.1", "--path", str(checkout), "-o", "out"]) == ExitStatus.OK
    out, err = capfd.readouterr()
    assert "v1.1   throughput  1" in out and "Done in 0:0" in out and "cache" not in out
    assert err.splitlines()[0] == "cm4tiny replay: v1.1" and "%" not in err
    assert (checkout.parent / "out" / "replay.csv").is_file()


def test_a_claim_that_does_not_hold_is_a_finding(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    expected = checkout.parent / "expected.csv"
    assert main(["replay", "v1.1", "--path", str(checkout), "-o", "out"]) == ExitStatus.OK
    text = (checkout.parent / "out" / "replay.csv").read_text(encoding="utf-8")
    expected.write_text(text.replace("match", "mismatch"), encoding="utf-8")
    capfd.readouterr()
    assert main(["replay", "v1.1", "--path", str(checkout), "-o", "out", "--expect", str(expected), "--json"]) == ExitStatus.FINDING
    told = json.loads(capfd.readouterr().out)
    assert told["error"]["kind"] == "MismatchError" and told["result"]["shown"]
