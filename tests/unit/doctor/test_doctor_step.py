# SPDX-License-Identifier: Apache-2.0
"""The step ``doctor,mlperf,tiny`` and the verb ``cm4tiny doctor``: what they print, write and return."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.edge import Edge
from support.sick_line import SickLine, SickPort

from cm4tiny.cli.exit_status import ExitStatus
from cm4tiny.cli.main import main
from cm4tiny.doctor.finding import check_document


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SickPort]:
    monkeypatch.setenv("CM_TINY_OFFLINE", "yes")
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    made = SickPort(SickLine())
    yield made
    made.close()


def test_the_verb_prints_one_object_that_its_schema_accepts(port: SickPort, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--port", port.device, "--json"]) == ExitStatus.OK
    told = json.loads(capsys.readouterr().out)
    found = told["result"]["doctor"]
    assert check_document(found) == [] and found["ok"] is True
    line = next(check for check in found["checks"] if check["check"] == f"serial line {port.device}")
    assert line["state"] == "ok" and "kws01, performance image" in line["note"]


def test_the_verb_ends_with_the_status_of_a_finding_and_its_hint(port: SickPort, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--port", port.device, "--expect", "energy", "--rules"]) == ExitStatus.FINDING
    out, err = capsys.readouterr()
    assert f"error: firmware.performance-image: {port.device}" in out and "EE_CFG_ENERGY_MODE=1" in err
    assert 'ATTRS{idProduct}=="374b"' in out


def test_the_step_leaves_its_diagnosis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CM_TINY_OFFLINE", "yes")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    edge = Edge(tmp_path / "home")
    answer = edge("--tags=doctor,mlperf,tiny,_virtual", "--outdirname=out")
    assert answer["return"] == 0, answer
    document = json.loads((tmp_path / "work" / "out" / "doctor.json").read_text(encoding="utf-8"))
    assert check_document(document) == [] and document["devices"] == []
    refused = edge("--tags=doctor,mlperf,tiny", "--port=/dev/pts/does-not-exist", "--outdirname=out")
    assert refused["return"] == 3 and "line.cannot-open" in refused["error"]
    wrong = edge("--tags=doctor,mlperf,tiny", "--expect=enrgy")
    assert wrong["return"] == 1 and "energy" in wrong["error"]
