# SPDX-License-Identifier: Apache-2.0
"""Numbers of README and docs that can be computed from this checkout; docs/claims.yaml names them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml
from support.mutations import MUTATIONS

from cm4tiny.benchmarks import BENCHMARKS, embedded_data_set
from cm4tiny.benchmarks.official.table import official_table
from cm4tiny.boards.boards import default_board
from cm4tiny.images.table import published_images
from cm4tiny.paths import PACKAGE
from cm4tiny.results.audit import RULES
from cm4tiny.results.published import published_results

VALUES: dict[str, Callable[[], int | float | str]] = {}


def value(function: Callable[[], int | float | str]) -> Callable[[], int | float | str]:
    """Registers a function under its name."""
    VALUES[function.__name__] = function
    return function


@value
def ram_kb() -> int:
    return default_board().chip.ram.size // 1024


@value
def stack_kb() -> int:
    return default_board().stack_bytes // 1024


@value
def flash_kb() -> int:
    return default_board().chip.flash.size // 1024


@value
def flash_mb() -> int:
    return default_board().chip.flash.size >> 20


@value
def published_count() -> int:
    return len(published_results())


@value
def published_image_count() -> int:
    return len(published_images())


@value
def audit_rules() -> int:
    return len(RULES)


@value
def broken_submissions() -> int:
    return len(MUTATIONS)


@value
def embedded_samples() -> int:
    return sum(len(embedded_data_set(benchmark).samples) for benchmark in BENCHMARKS)


@value
def embedded_megabytes() -> str:
    size = sum(path.stat().st_size for path in (PACKAGE / "benchmarks" / "embedded").rglob("*") if path.is_file())
    return f"{size / 1e6:.1f}"


def _samples(benchmark: str) -> Callable[[], int]:
    return lambda: len(embedded_data_set(benchmark).samples)


def _sample_bytes(benchmark: str) -> Callable[[], str]:
    def size() -> str:
        data_set = embedded_data_set(benchmark)
        return f"{(data_set.root / data_set.samples[0].file).stat().st_size:,}"

    return size


for _benchmark in BENCHMARKS:
    VALUES[f"{_benchmark}_samples"] = _samples(_benchmark)
    VALUES[f"{_benchmark}_sample_bytes"] = _sample_bytes(_benchmark)


def _archive_mb(source: str) -> Callable[[], str]:
    def size() -> str:
        total = official_table().item(source).bytes
        return f"{total / 1e9:.1f}" if total >= 1e9 else f"{total / 1e6:.0f}"

    return size


for _set in ("ic01", "vww01", "ad01"):
    VALUES[f"{_set}_archive"] = _archive_mb(official_table().set_row(_set).source)


@value
def recorded_sequences() -> str:
    rows = yaml.safe_load((Path(__file__).parent / "instructions" / "expected.yaml").read_text(encoding="utf-8"))
    return f"{sum(int(row['sequences']) for row in rows):,}"
