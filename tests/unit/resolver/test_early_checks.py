# SPDX-License-Identifier: Apache-2.0
"""A wrong input costs no download and no build: for each of them, no script was begun, no program was run and nothing was written."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from support.edge import Edge
from support.tiny_tflite import TinyTflite, fully_connected

from cm4tiny.benchmarks.embedded import embedded_model
from cm4tiny.resolver.run import native


@pytest.fixture
def edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edge]:
    """In an empty folder with ``file``, ``kws.tflite`` and an empty ``folder``; no process and no connection may be started."""
    work = tmp_path / "work"
    (work / "folder").mkdir(parents=True)
    (work / "file").write_text("text\n")
    (work / "kws.tflite").write_bytes(embedded_model("kws").read_bytes())
    (work / "odd.tflite").write_bytes(one_operator(tflite.BuiltinOperator.LOG))
    (work / "logits.tflite").write_bytes(logits())
    monkeypatch.chdir(work)
    monkeypatch.setenv("CM_TINY_CACHE", str(tmp_path / "home" / "cache"))

    def forbidden(*arguments: Any, **options: Any) -> Any:
        raise AssertionError(f"something was started: {arguments}")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(native, "run", forbidden)
    yield Edge(tmp_path / "home")


def one_operator(kind: int) -> bytes:
    """A sound model with an operator that no engine here has."""
    graph = TinyTflite()
    entry, result = (graph.tensor(name, (1, 490), scale=0.1) for name in ("in", "out"))
    graph.op(kind, [entry], [result])
    return graph.build([entry], [result])


def logits() -> bytes:
    """A model of kws's sizes whose output can be negative."""
    graph = TinyTflite()
    entry, result = graph.tensor("in", (1, 490), scale=0.1), graph.tensor("out", (1, 12), scale=0.1)
    weights = graph.tensor("weights", (12, 490), scale=0.1, data=np.ones((12, 490)))
    fully_connected(graph, entry, weights, None, result)
    return graph.build([entry], [result])


REPRODUCE, BUILD, RUN = "reproduce,mlperf,tiny", "build,firmware,mlperf,tiny", "run,mlperf,tiny,benchmark,cm4tiny"
PROFILE, TUNE, IMAGE = "profile,mlperf,tiny", "tune,mlperf,tiny", "run,mlperf,tiny,image"
REPLAY, SUBMISSION, FLASH = "replay,mlperf,tiny", "generate,mlperf,tiny,submission", "flash,tiny,mlperf"

WRONG = [
    (REPRODUCE, "--jobs=many", "--jobs=many is not a number"),
    (REPRODUCE, "--jobs=0", "--jobs=0 is not possible"),
    (REPRODUCE, "--jobs", "--jobs needs a value"),
    (REPRODUCE, "--outdirname=file", "--outdirname=file cannot be created"),
    (REPRODUCE, "--outdirname=file/below", "cannot be created"),
    (REPRODUCE, "--toolchain=gcc", "--toolchain=gcc is not a valid choice"),
    (REPRODUCE, "--flasher=jlink", "--flasher=jlink is not a valid choice"),
    (REPRODUCE, "--baud=fast", "--baud=fast is not a number"),
    (REPRODUCE, "--ram_budget=lots", "is not a size of memory"),
    (REPRODUCE, "--ram_budget=999999K", "is not possible"),
    (f"{REPRODUCE},_tflm", "--ram_budget=64K", "the engine tflm has no RAM budget"),
    (REPRODUCE, "--costs=absent.json", "--costs=absent.json does not exist"),
    (REPRODUCE, "--costs=file", "file"),
    (REPRODUCE, "--mirror=absent", "--mirror=absent does not exist"),
    (REPRODUCE, "--profile=perhaps", "--profile is on or off"),
    (REPRODUCE, "--modle=x", "--modle is unknown"),
    (REPRODUCE, "--env.CM_TINY_JOBS=many", "--jobs=many is not a number"),
    (REPRODUCE, "--adr.toolchain.tags=_nothing", "cannot be resolved"),
    (f"{REPRODUCE},_kws,_vww", "--jobs=1", "_vww"),
    (BUILD, "--model=absent.tflite", "--model=absent.tflite does not exist"),
    (BUILD, "--model=folder", "is a directory, not a file"),
    (BUILD, "--model=file", "is not a .tflite model"),
    (f"{BUILD},_ic", "--model=kws.tflite", "the model does not fit the benchmark 'ic'"),
    (f"{BUILD},_ic,_tflm_cmsis_nn", "--model=kws.tflite", "the model does not fit the benchmark 'ic'"),
    (BUILD, "--model=odd.tflite", "LOG"),
    (f"{BUILD},_tflm", "--model=odd.tflite", "LOG"),
    (RUN, "--jobs=many", "--jobs=many is not a number"),
    (RUN, "--outdirname=file", "cannot be created"),
    (RUN, "--jobs=1", "CM_TINY_FIRMWARE_"),
    (REPRODUCE, "--model=kws.tflite", "add the benchmark to the tags: _kws"),
    (f"{REPRODUCE},_kws", "--model=logits.tflite", "not probabilities"),
    (f"{PROFILE},_vww", "--model=kws.tflite", "does not fit the benchmark 'vww'"),
    (PROFILE, "--image=absent.elf", "--image=absent.elf does not exist"),
    (PROFILE, "--outdirname=file", "cannot be created"),
    (TUNE, "--jobs=some", "--jobs=some is not a number"),
    (f"{TUNE},_ad", "--model=kws.tflite", "does not fit the benchmark 'ad'"),
    (IMAGE, "--jobs=1", "it is not clear which image is meant"),
    (f"{IMAGE},_bosch-v1.2", "--image=file", "it is not clear which image is meant"),
    (f"{IMAGE},_bosch-v1.2", "--dataset=folder", "a data set belongs to one benchmark"),
    (f"{REPLAY},_v1.1", "--jobs=many", "--jobs=many is not a number"),
    (f"{REPLAY},_v1.1", "--expect=absent.csv", "does not exist"),
    (f"{REPLAY},_v1.1", "--outdirname=file", "cannot be created"),
    (SUBMISSION, "--answers=absent.yaml", "does not exist"),
    (SUBMISSION, "--division=middle", "--division=middle is not a valid choice"),
    (SUBMISSION, "--results=absent", "does not exist"),
    (SUBMISSION, "--status=sold", "is not a valid choice"),
    (FLASH, "--elf=absent.elf", "does not exist"),
    ("view,mlperf,tiny", "--runs=folder,absent", "does not exist"),
    ("generate,mlperf,tiny,report", "--formats=csv,pdf", "--formats=pdf is not a valid choice"),
    ("get,mlperf,tiny,dataset", "--archive=folder", "is a directory, not a file"),
]  # fmt: skip


@pytest.mark.parametrize(("tags", "flag", "says"), WRONG, ids=[f"{tags} {flag}" for tags, flag, _ in WRONG])
def test_a_wrong_input_is_refused_before_anything_begins(tags: str, flag: str, says: str, edge: Edge) -> None:
    answer = edge(f"--tags={tags}", flag)
    assert answer["return"] > 0 and says in answer["error"] and "hint: " in answer["error"]
    assert edge.started == [] and edge.left == []
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["file", "folder", "kws.tflite", "logits.tflite", "odd.tflite"]


def test_a_folder_that_cannot_be_written_is_refused_where_it_is_the_default(edge: Edge) -> None:
    Path("mlperf-tiny-results").write_text("a file of the user's")
    answer = edge("--tags=reproduce,mlperf,tiny")
    assert "--outdirname=mlperf-tiny-results cannot be created" in answer["error"] and edge.started == []


def test_a_plan_checks_the_values_and_runs_nothing(edge: Edge) -> None:
    assert "--jobs=many" in edge("--tags=reproduce,mlperf,tiny", "--plan", "--jobs=many")["error"]
    assert edge("--tags=reproduce,mlperf,tiny", "--plan")["return"] == 0
    assert edge.started == []
