# SPDX-License-Identifier: Apache-2.0
"""With CM_TINY_OFFLINE every step gives a result from what is here, or a clear error, and never tries the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.edge import Edge
from support.no_network import NoNetwork, no_network

from cm4tiny.firmware import toolchain
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories
from cm4tiny.results.experiments import importer

OFFLINE = "must not be used (CM_TINY_OFFLINE)"
NOTHING = ""

STEPS: dict[str, tuple[str, tuple[str, ...], str | None]] = {
    # name: (tags, flags, what the error says; None: there is a result)
    "board": ("get,tiny,board", (), OFFLINE),
    "toolchain": ("get,tiny,toolchain", (), OFFLINE),
    "toolchain-pip": ("get,tiny,toolchain,_pip", (), OFFLINE),
    "toolchain-zig": ("get,tiny,toolchain,_zig", (), OFFLINE),
    "toolchain-debian": ("get,tiny,toolchain,_debian", (), OFFLINE),
    "model": ("get,mlperf,tiny,model", (), None),
    "model-official": ("get,mlperf,tiny,model,_mlcommons", (), OFFLINE),
    "dataset": ("get,mlperf,tiny,dataset", (), None),
    "dataset-official": ("get,mlperf,tiny,dataset,_mlcommons,_ic", (), OFFLINE),
    "dataset-sww": ("get,mlperf,tiny,dataset,_sww", (), OFFLINE),
    "microtvm": ("get,microtvm", (), None),
    "cifar10": ("get,dataset,cifar10", (), OFFLINE),
    "src": ("get,mlperf,tiny,src", (), OFFLINE),
    "eembc": ("get,eembc,energy-runner,src", (), OFFLINE),
    "results": ("get,mlperf,tiny,results,_v1.1", (), OFFLINE),
    "images": ("get,mlperf,tiny,published-images,_bosch-v1.2", (), OFFLINE),
    "engine-src": ("get,tiny,engine,src,_tflm", (), OFFLINE),
    "engine-library": ("build,tiny,engine,library,_tflm", (), OFFLINE),
    "build": ("build,firmware,mlperf,tiny", (), OFFLINE),
    "compile": ("compile,mlperf,tiny,firmware-image", (), OFFLINE),
    "measure": ("measure,mlperf,tiny,kernels", (), OFFLINE),
    "identity": ("get,tiny,input-identity", (), None),
    "tune": ("tune,mlperf,tiny", (), OFFLINE),
    "profile": ("profile,mlperf,tiny,_kws", (), OFFLINE),
    "predict": ("predict,tiny,model", (), "no model was named"),
    "reproduce": ("reproduce,mlperf,tiny", (), OFFLINE),
    "image": ("run,mlperf,tiny,image,_bosch-v1.2", (), OFFLINE),
    "replay": ("replay,mlperf,tiny,_v1.1", (), OFFLINE),
    "report": ("generate,mlperf,tiny,report,_v1.1", (), OFFLINE),
    "run": ("run,mlperf,tiny,benchmark,cm4tiny", (), "is not set"),
    "collect": ("collect,mlperf,tiny", (), "is not set"),
    "flash": ("flash,tiny,mlperf", (), "which image is meant"),
    "doctor": ("doctor,mlperf,tiny,_virtual", (), None),
    "verify": ("verify,mlperf,tiny", (), "there is no report"),
    "check": ("check,mlperf,tiny,submission", (), "nothing to check"),
    "check-official": ("check,mlperf,tiny,submission", ("--official", "--path=."), ""),
    "generate": ("generate,mlperf,tiny,submission", (), "submitter"),
    "view": ("view,mlperf,tiny", (), None),
    "import": ("import,mlperf,tiny,to-experiment", (), "no CM here"),
}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Edge, NoNetwork]]:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "home" / "cache"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("CM_TINY_OFFLINE", "yes")
    monkeypatch.setattr(toolchain, "DEBIAN_COMPILER", tmp_path / "absent")
    monkeypatch.setattr(importer, "_cmind_access", lambda: lambda request: {"return": 1, "error": "no CM here"})
    with no_network(tmp_path, monkeypatch) as network:
        yield Edge(tmp_path / "home"), network


def test_every_step_of_this_project_is_tried() -> None:
    store = ScriptStore(own_repositories())
    tried = {script.alias for tags, _, _ in STEPS.values() for script in store.scripts if _plain(tags) <= script.tags}
    assert {script.alias for script in store.scripts} - tried == set()


def _plain(tags: str) -> set[str]:
    return {tag for tag in tags.split(",") if not tag.startswith("_")}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_without_a_network_gives_a_result_or_a_clear_error(name: str, machine: tuple[Edge, NoNetwork]) -> None:
    edge, network = machine
    tags, flags, says = STEPS[name]
    answer = edge(f"--tags={tags}", "--jobs=1", *flags)
    assert network.attempts == []
    if says is None:
        assert answer["return"] == 0, answer.get("error")
    else:
        assert answer["return"] > 0 and says in answer["error"], answer.get("error")
        assert "hint: " in answer["error"] and "Traceback" not in answer["error"]


@pytest.mark.parametrize("how", ["--offline", "--env.CM_TINY_OFFLINE=yes"])
def test_the_flag_and_the_key_forbid_the_network_like_the_variable(
    how: str, machine: tuple[Edge, NoNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    edge, network = machine
    monkeypatch.delenv("CM_TINY_OFFLINE")
    answer = edge("--tags=replay,mlperf,tiny,_v1.1", how)
    assert OFFLINE in answer["error"] and network.attempts == []


def test_with_the_network_allowed_the_sentinel_sees_the_attempt(machine: tuple[Edge, NoNetwork], monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the tests above would pass whatever the steps did."""
    edge, network = machine
    monkeypatch.delenv("CM_TINY_OFFLINE")
    monkeypatch.setenv("PIP_RETRIES", "0")
    assert edge("--tags=get,tiny,toolchain,_zig")["return"] > 0
    assert edge("--tags=get,mlperf,tiny,src")["return"] > 0
    assert any(line.startswith("python: ") for line in network.attempts)
    assert any(line.startswith("git ") for line in network.attempts)
