# SPDX-License-Identifier: Apache-2.0
"""Which boards an image fits on, and which published results are nearest to a model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cm4tiny.benchmarks import BENCHMARKS, embedded_model
from cm4tiny.boards.boards import all_boards
from cm4tiny.firmware.layers import operator_macs
from cm4tiny.firmware.model_file import read_tables
from cm4tiny.firmware.model_tables import ModelTables
from cm4tiny.results.conditions import HOME_BOARD
from cm4tiny.results.names import kibibytes
from cm4tiny.results.published import PublishedResult, published_conditions, published_for
from cm4tiny.results.submission.system import boards as other_boards

NEAREST = (
    f"Nearest: MLPerf Tiny's benchmarks by the ratio of their multiply-accumulates to this model's, nearest first; of each, the "
    f"best published results of the three fastest submitters on the {HOME_BOARD}. They are measurements of other models and other code."
)
_PER_BENCHMARK = 3
_RAM, _FLASH = "SoC Memory capacity (not including processor or accelerator)", "SoC storage capacity"


def macs_of(tables: ModelTables) -> int:
    """Multiply-accumulates of one inference, by the file's operators."""
    return sum(operator_macs(tables, operator) for operator in tables.operators)


def fitting(engines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each board that the project knows: does each engine's image fit into its flash and RAM?

    Boards with a description of their own come first; of the others only what submitters wrote of their memory is known.
    """
    rows = [
        (board.name, board.chip.name, board.chip.flash.size, board.chip.ram.size, "virtual or real, runs this image")
        for board in all_boards()
    ]
    for other in other_boards().values():
        ram, flash = (kibibytes(other.fields.get(field, "")) for field in (_RAM, _FLASH))
        known = {row[0] for row in rows}
        if ram and flash and other.fields["Board Name"] not in known:
            chip = other.fields.get("SoC Name", "")
            rows.append((other.fields["Board Name"], chip, int(flash * 1024), int(ram * 1024), "memory compared only: another chip"))
    return [
        {
            "board": name,
            "chip": chip,
            "flash_bytes": flash,
            "ram_bytes": ram,
            "basis": basis,
            "fits": {row["engine"]: _fits(row["memory"], flash, ram) for row in engines if row["memory"]},
        }
        for name, chip, flash, ram, basis in rows
    ]


def _fits(memory: Mapping[str, Any], flash: int, ram: int) -> bool:
    return bool(memory["flash_bytes"] <= flash and memory["ram_bytes"] <= ram)


@lru_cache(maxsize=1)
def benchmark_macs() -> dict[str, int]:
    """Multiply-accumulates of each benchmark, by this project's models of the reference topologies (docs/embedded-assets.md)."""
    return {name: macs_of(read_tables(embedded_model(name).read_bytes())) for name in BENCHMARKS}


def nearest(macs: int) -> list[dict[str, Any]]:
    """The benchmarks, nearest first, with published results; see :data:`NEAREST`. Empty for a model that multiplies nothing."""
    if macs <= 0:
        return []
    sizes = benchmark_macs()
    ordered = sorted(sizes, key=lambda name: abs(math.log(sizes[name] / macs)))
    return [
        {
            "benchmark": name,
            "name": BENCHMARKS[name].name,
            "macs": sizes[name],
            "ratio": sizes[name] / macs,
            "published": [_published(row, sizes[name]) for row in _fastest(name)],
        }
        for name in ordered
    ]


def _fastest(benchmark: str) -> list[PublishedResult]:
    """The fastest result of each submitter with the benchmark's own model; the fastest first."""
    found: dict[str, PublishedResult] = {}
    for row in published_for(benchmark):
        if row.division == "closed":
            found.setdefault(row.submitter, row)
    return list(found.values())[:_PER_BENCHMARK]


def _published(row: PublishedResult, macs: int) -> dict[str, Any]:
    conditions = published_conditions(row)
    cycles = conditions.clock_mhz * 1e6 / row.throughput_inf_per_s if conditions.clock_mhz else None
    return {
        "who": row.label,
        "framework": row.framework,
        "latency_ms": 1e3 / row.throughput_inf_per_s,
        "throughput_inf_per_s": row.throughput_inf_per_s,
        "energy_uj": row.energy_uj_per_inf,
        "cycles_per_mac": cycles / macs if cycles else None,
        "labels": conditions.text,
    }
