# SPDX-License-Identifier: Apache-2.0
"""Re-running submitters' images: what is said of each, what is kept, and when the replay fails."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cm4tiny.cm import Step
from cm4tiny.errors import DeviceFaultError, MismatchError, NotAvailableError
from cm4tiny.events import SILENT
from cm4tiny.images import execute as module
from cm4tiny.images.execute import Execution, execute, summary
from cm4tiny.images.table import PublishedImage, all_images
from cm4tiny.results.replay import Replay
from cm4tiny.workflows import replay_mlperf_tiny

HOME, OTHER = "bosch-v1.1-kws", "bosch-v1.1-u575-kws"


class Bench:
    """A checkout with two images of round v1.1, and boards that need no emulator."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.booted, self.model = folder, list[str](), "kws01"
        self.equal, self.fault = 1000, False
        self.images = tuple(self._placed(next(image for image in all_images() if image.id == name)) for name in (HOME, OTHER))
        monkeypatch.setattr(module, "all_images", lambda: self.images)
        monkeypatch.setattr(replay_mlperf_tiny, "all_images", lambda: self.images)
        monkeypatch.setattr(module, "boot", self._boot)
        monkeypatch.setattr(module, "measure", lambda *_, **__: SimpleNamespace(predicted=16.5))
        monkeypatch.setattr(module, "run_images", self._compare)

    def _placed(self, image: PublishedImage) -> PublishedImage:
        path = self.folder / image.file
        path.parent.mkdir(parents=True)
        path.write_bytes(image.id.encode())
        return replace(image, sha256=hashlib.sha256(image.id.encode()).hexdigest())

    def _boot(self, file: Path, baud: int, *_: object, name: str, board: Any) -> dict[str, Any]:
        self.booted.append(f"{name} on {board.name} at {baud}")
        if self.fault:
            raise DeviceFaultError("it crashed", why="at PC 0x08000000", hint="x")
        return {"model": self.model}

    def _compare(self, run: Any, *_: object) -> Path:
        run.out.mkdir(parents=True, exist_ok=True)
        path: Path = run.out / "images.json"
        path.write_text(json.dumps({"images": [{"outputs_equal": self.equal, "outputs_compared": 1000}]}))
        return path

    def run(self, **data_sets: Path) -> tuple[module.Executed, ...]:
        return execute(Execution({"v1.1": self.folder}, self.folder / "out", data_sets, 2))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_each_image_runs_on_its_own_board_and_only_a_known_error_gives_a_throughput(bench: Bench) -> None:
    home, other = bench.run()
    assert sorted(bench.booted) == [f"{HOME} on NUCLEO-L4R5ZI at 115200", f"{OTHER} on NUCLEO-U575ZI-Q at 115200"]
    assert (home.status, home.predicted, home.published, home.why) == ("answers", 16.5, 15.954, "")
    assert (other.status, other.predicted, other.published, other.why) == ("answers", None, 25.166, "no cycle model")
    assert not home.failure and not other.failure
    rows = list(csv.DictReader((bench.folder / "out" / "executed.csv").open()))
    assert [(row["id"], row["predicted"], row["outputs_equal"]) for row in rows] == [(HOME, "16.5", ""), (OTHER, "", "")]
    assert "NUCLEO-U575ZI-Q: 1 of 1 images boot and answer (no cycle model: no throughput)" in summary((home, other))


def test_outputs_are_compared_where_the_inputs_are_at_hand_and_a_difference_is_a_failure(bench: Bench, tmp_path: Path) -> None:
    bench.equal = 999
    home, other = bench.run(kws=tmp_path)
    assert (home.outputs_equal, home.outputs_compared) == (999, 1000)
    assert other.failure == f"{OTHER}: 999 of 1000 outputs equal the published log"
    assert "999 of 1000 outputs equal the published logs" in summary((home,))


def test_an_image_that_is_absent_damaged_or_crashes_is_named_and_ends_nothing(bench: Bench) -> None:
    (bench.folder / bench.images[0].file).unlink()
    (bench.folder / bench.images[1].file).write_bytes(b"another")
    absent, damaged = bench.run()
    assert (absent.status, absent.failure) == ("absent", "") and "there is no closed/bosch" in absent.why
    assert damaged.status == "failed" and "is not the published image" in damaged.failure
    assert ", 1 absent" in summary((absent, damaged))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda bench: setattr(bench, "fault", True), "it crashed: at PC 0x08000000"),
        (lambda bench: setattr(bench, "model", "ad01"), "it answers as ad01"),
    ],
)
def test_one_that_does_something_else_fails(bench: Bench, change: Callable[[Bench], None], why: str) -> None:
    change(bench)
    assert all(row.status == "failed" and why in row.failure for row in bench.run())


def test_what_answered_is_kept_by_image_and_emulator_and_what_failed_is_run_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = bench.run()
    assert bench.run() == first and len(bench.booted) == 2
    bench.run(kws=tmp_path)  # outputs were not compared before
    assert len(bench.booted) == 4
    bench.run(kws=tmp_path)
    assert len(bench.booted) == 4
    (bench.folder / "out" / "executed" / f"{HOME}.json").write_text("{")
    monkeypatch.setattr(module, "package_sha256", lambda board: "another" if board.name == "NUCLEO-U575ZI-Q" else first[0].emulator)
    bench.run()
    assert len(bench.booted) == 6
    bench.fault = True
    (bench.folder / "out" / "executed" / f"{HOME}.json").unlink()
    assert bench.run()[0].status == "failed"
    bench.fault = False
    assert bench.run()[0].status == "answers"


def replayed(bench: Bench, round_id: str = "v1.1") -> dict[str, Path]:
    found = Replay(rounds=((SimpleNamespace(id=round_id), bench.folder),), results=())  # type: ignore[arg-type]
    options: Any = SimpleNamespace(outdirname=bench.folder / "out", jobs=1, data_sets={"CM_MLPERF_TINY_DATASETS_KWS": str(bench.folder)})
    return replay_mlperf_tiny._execute(options, found, Step({}, SILENT, bench.folder))


def test_the_step_names_the_file_and_fails_where_an_image_does(bench: Bench) -> None:
    assert replayed(bench) == {"CM_TINY_REPLAY_EXECUTED": bench.folder / "out" / "executed.csv"}
    bench.equal = 1
    for file in (bench.folder / "out" / "executed").glob("*.json"):
        file.unlink()
    with pytest.raises(MismatchError, match="1 of 1000 outputs equal") as caught:
        replayed(bench)
    assert "executed.csv" in caught.value.hint
    with pytest.raises(NotAvailableError, match=r"no image of v0\.7 is known") as unknown:
        replayed(bench, "v0.7")
    assert "v1.1" in unknown.value.hint
