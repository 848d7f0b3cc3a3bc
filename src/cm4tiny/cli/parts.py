# SPDX-License-Identifier: Apache-2.0
"""The parts of a run, from its plan: what a person would call its pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cm4tiny.benchmarks.table import ALL_BENCHMARKS, BENCHMARKS
from cm4tiny.cli.forecast import BUILD, CACHED, MEASURE, REPORT, Part
from cm4tiny.runner.benchmark_run import MODES

BOARD = "board"
IMAGE_STEP = "compile-mlperf-tiny-firmware"
"""The step whose result, an image, the part ``firmware X`` is."""
_CONTEXT_LESS = {*ALL_BENCHMARKS, "all", *MODES}


def parts_of(plan: Mapping[str, Any]) -> list[Part]:
    """The parts of a plan, each once, in the order of the run; none for a step that has no known parts."""
    found: dict[str, Part] = {}
    for node in _nodes(plan):
        for part in _parts_of_node(node):
            found.setdefault(part.key, part)
    return list(found.values())


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for dep in plan.get("deps", ()):
        if dep.get("assumed") and "plan" in dep:
            yield from _nodes(dep["plan"])


def _parts_of_node(node: Mapping[str, Any]) -> Iterator[Part]:
    variations = [str(name) for name in node["variations"]]
    key = part_key(str(node["script"]), variations)
    if node["script"] == "run-mlperf-tiny":
        yield from _measurements(variations)
    elif key.startswith("firmware"):
        cached = any(dep.get("plan", {}).get("in_the_cache") for dep in node.get("deps", ()))
        yield Part(key, BUILD, state=CACHED if cached else "waiting", note="from the cache" if cached else "")
    elif key == "profile":
        yield Part(key, REPORT)
    elif key:
        yield Part(key)


def _measurements(variations: list[str]) -> Iterator[Part]:
    benchmarks = [name for name in variations if name in ALL_BENCHMARKS] or list(BENCHMARKS)
    mode = next((name for name in variations if name in MODES), "standard")
    for benchmark in benchmarks:
        for kind in MODES[mode]:
            yield Part(f"{benchmark} {kind}", MEASURE)


def part_key(alias: str, variations: list[str]) -> str:
    """The key of the part that a step is; empty if it is none."""
    benchmark = next((name for name in variations if name in ALL_BENCHMARKS), "")
    if alias == "build-mlperf-tiny-firmware":
        return f"firmware {benchmark}".rstrip()
    return {"get-tiny-board": BOARD, "profile-mlperf-tiny": "profile"}.get(alias, "")


def context_of(tags: str) -> str:
    """What besides benchmark and mode decides how long a run takes: its other tags."""
    return ",".join(sorted(tag for tag in tags.split(",") if tag.lstrip("_") not in _CONTEXT_LESS))
