# SPDX-License-Identifier: Apache-2.0
"""Four front ends give one answer: the same tags, started by ``cm``, ``cmx``, upstream's engine or ``mlcr``, leave the same bytes.

There is no network. In the long test each front end has a home of its own, so each finds, compiles and runs everything itself.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.front_ends import NAMES, FrontEnd

JOB = "reproduce,mlperf,tiny,cm4tiny"
BENCHMARKS = ("ad", "ic", "kws", "vww")
MODES = ("performance", "accuracy", "energy")
QUICK = (("kws", "accuracy"), ("ic", "accuracy"))
"""What the ordinary run compares: the two jobs of the twelve that need the least time."""
ALL = [(benchmark, mode) for benchmark in BENCHMARKS for mode in MODES]


class Answers:
    """What each front end answered; a job runs once."""

    def __init__(self, base: Path, packages: dict[str, tuple[Path, ...]], cache: Path | None = None) -> None:
        self.base, self.packages, self.cache = base, packages, cache
        self.front_ends: dict[str, FrontEnd] = {}
        self.folders: dict[tuple[str, str, str], Path] = {}

    def front_end(self, name: str) -> FrontEnd:
        if name not in self.front_ends:
            home = self.base / ("cm" if self.cache and name == "cmx" else name)
            self.front_ends[name] = FrontEnd(name, home, self.packages[name], self.cache)
        return self.front_ends[name]

    def files(self, name: str, benchmark: str, mode: str) -> dict[str, bytes]:
        """The files that a job left, without the ones that are of one run: how long it took, its lock, and MLCFlow's log."""
        key = (name, benchmark, mode)
        if key not in self.folders:
            front_end = self.front_end(name)
            folder = self.base / "-".join(key)
            done = front_end.run(f"{JOB},_{benchmark},_{mode}", folder, "--outdirname=out")
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
            assert front_end.connections == []
            self.folders[key] = folder / "out"
        folder = self.folders[key]
        found = (path for path in folder.rglob("*") if path.is_file() and path.name not in ("timing.json", ".lock"))
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def packages(upstream: Path, mlcflow_packages: tuple[Path, ...]) -> dict[str, tuple[Path, ...]]:
    return {"cm": (), "cmx": (), "upstream": (upstream,), "mlcr": mlcflow_packages}


@pytest.fixture(scope="module")
def quick(packages: dict[str, tuple[Path, ...]], tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """``cm`` and ``cmx`` share a home, as they do for a user; all share what is no engine's: the compiled emulator."""
    base = tmp_path_factory.mktemp("quick")
    return Answers(base, packages, base / "cache")


@pytest.fixture(scope="module")
def whole(packages: dict[str, tuple[Path, ...]], tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Homes that share nothing."""
    return Answers(tmp_path_factory.mktemp("whole"), packages)


def compare(answers: Answers, name: str, benchmark: str, mode: str) -> None:
    found, wanted = answers.files(name, benchmark, mode), answers.files("cm", benchmark, mode)
    results = {(entry["benchmark"], entry["mode"]) for entry in json.loads(found["report.json"])["results"]}
    assert (benchmark, mode) in results and {name for name, _ in results} == {benchmark}
    assert found.keys() == wanted.keys()
    assert [path for path in wanted if found[path] != wanted[path]] == []


@pytest.mark.parametrize(("benchmark", "mode"), QUICK)
@pytest.mark.parametrize("name", NAMES)
def test_each_front_end_gives_the_same_report(name: str, benchmark: str, mode: str, quick: Answers) -> None:
    compare(quick, name, benchmark, mode)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("benchmark", "mode"), ALL)
@pytest.mark.parametrize("name", NAMES)
def test_each_front_end_gives_the_same_report_of_every_job(name: str, benchmark: str, mode: str, whole: Answers) -> None:
    compare(whole, name, benchmark, mode)


def test_each_engine_made_its_own_image(quick: Answers) -> None:
    """No front end answers with what another one left."""
    for name in NAMES:
        quick.files(name, *QUICK[0])
        home = quick.front_end(name).home
        caches = {path.relative_to(home).parts[0] for path in home.rglob("kws-performance.elf")}
        assert caches == {"MLC" if name == "mlcr" else "CM"}, name
