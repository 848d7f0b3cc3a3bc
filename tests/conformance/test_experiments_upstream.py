# SPDX-License-Identifier: Apache-2.0
"""Our experiments next to those of upstream's own script, unmodified, on rounds v0.7, v1.0 and v1.1 (the ones that it knows).

Needs clones of mlcommons/cm4mlops and of the rounds below the folder that ``CM4TINY_UPSTREAM`` names. CM's calls are answered by a folder,
so that upstream's ``experiment`` automation need not be registered; a question for <Enter> is answered at once.
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cm4tiny.results.experiments.importer import import_results

CLONES = Path(os.environ.get("CM4TINY_UPSTREAM", "/nonexistent"))
SCRIPT = CLONES / "cm4mlops" / "script" / "import-mlperf-tiny-to-experiment" / "customize.py"
KEYS = ("median_throughput", "accuracy_Top-1", "accuracy_AUC", "Accuracy", "median_energy_cost", "Result")
PREFIXED = {"plumerai", "silicon_labs", "qualcomm"}
OWN_LABELS = {"version", "__version", "Organization", "__Organization", "Division", "Benchmark"}

pytestmark = [
    pytest.mark.upstream,
    pytest.mark.skipif(not SCRIPT.is_file(), reason="CM4TINY_UPSTREAM names no folder with a clone of cm4mlops"),
]


class Cm:
    """CM's find and add for one repository in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        path = self.folder / request["artifact"]
        if request["action"] == "find":
            return {"return": 0, "list": [SimpleNamespace(path=str(path))] if path.is_dir() else []}
        path.mkdir(parents=True)
        (path / "_cm.json").write_text(json.dumps({"tags": request["tags"]}), encoding="utf-8")
        return {"return": 0, "path": str(path)}

    def results(self, name: str) -> list[dict[str, Any]]:
        (path,) = (self.folder / name).glob("*/cm-result.json")
        return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]

    def tags(self) -> dict[str, list[str]]:
        return {path.parent.name: json.loads(path.read_text(encoding="utf-8"))["tags"] for path in self.folder.glob("*/_cm.json")}


@pytest.mark.parametrize("round_id", ["v0.7", "v1.0", "v1.1"])
def test_names_tags_and_figures_are_upstreams(round_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = CLONES / f"tiny_results_{round_id}"
    if not checkout.is_dir():
        pytest.skip(f"no clone of tiny_results_{round_id}")
    spec = importlib.util.spec_from_file_location("upstream_import", SCRIPT)
    assert spec and spec.loader
    upstream = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(upstream)
    theirs, ours = Cm(tmp_path / "theirs"), Cm(tmp_path / "ours")
    monkeypatch.setattr(upstream, "cm", SimpleNamespace(access=theirs))
    monkeypatch.setattr("builtins.input", lambda *_: "")
    monkeypatch.chdir(tmp_path)
    assert upstream.convert_repo_to_experiment(str(checkout), round_id, {}) == {"return": 0}
    import_results(rounds=[checkout], access=ours)
    names = {name for name in theirs.tags() if any(key in result for result in theirs.results(name) for key in KEYS)}
    assert names
    assert {name: ours.tags()[name] for name in names} == {name: theirs.tags()[name] for name in names}
    for name in sorted(names):
        own = ours.results(name)
        for result in theirs.results(name):
            if not any(key in result for key in KEYS):
                continue  # files that upstream's script does not find; ours does
            assert any(_same(result, one) for one in own), (name, result["__System"], {key: result.get(key) for key in KEYS})


def _same(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    labels = all(str(theirs[key]) == str(ours[key]) for key in OWN_LABELS) and ours["__System"].endswith(theirs["__System"])
    figures = all(ours.get(key) == theirs[key] or _first_window(key, theirs, ours) for key in KEYS if key in theirs)
    return labels and figures and theirs.get("Model", "") == ours.get("Model", "")


def _first_window(key: str, theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Of files called ``performance_results.txt`` upstream's script takes the first window's throughput for the median."""
    first = key in ("median_throughput", "Result") and theirs["Organization"] in PREFIXED
    return first and ours[key] == pytest.approx(theirs[key], rel=2e-3)
