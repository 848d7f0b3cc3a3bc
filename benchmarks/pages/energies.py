# SPDX-License-Identifier: Apache-2.0
"""The published energies of the board next to what the model of the supply current predicts for them: ``docs/energy.md``.

The facts are in ``energies.yaml``, the energies in ``published.csv``. The energy of an inference is supply voltage times current over the
throughput of the energy run itself, so that the error is that of the current alone. Leaving a submitter out means: the two fitted constants
are fitted without any result of that submitter, and predict them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.boards.energy import Activity, PowerSettings, current_ma, settings_of
from cm4tiny.boards.energy.table import CurrentTable, current_table
from cm4tiny.errors import ResultsError
from cm4tiny.results.published import PublishedResult, published_results

_TABLE = Path(__file__).with_name("energies.yaml")
FITTED = ("run_ua_per_mhz", "kernel_ua_per_mhz")
OWN_PORT = "cm4tiny"


@dataclass(frozen=True)
class ImageSettings:
    """What the images of a submitter clock.

    Attributes:
        evidence: ``"registers"`` (read from the image) or ``"sources"`` (the image is not published).
        reason: where it is known from.
    """

    id: str
    evidence: str
    reason: str
    settings: PowerSettings


@dataclass(frozen=True)
class Energy:
    """One published energy.

    Attributes:
        source: the result's folder, as in ``published.csv``.
        inf_per_s: of the energy run.
        stall: share of cycles that wait for flash.
        published: uJ an inference, or mW for a streaming result.
        sleep_share: of a streaming result: the share of the time that the core sleeps.
    """

    source: str
    port: ImageSettings
    supply_v: float
    published: float
    inf_per_s: float
    stall: float
    sleep_share: float | None = None

    @property
    def result(self) -> PublishedResult:
        """Its row of ``published.csv``."""
        return _by_source()[self.source]

    def predicted(self, table: CurrentTable | None = None) -> float:
        """uJ an inference, or mW for a streaming result."""
        run = current_ma(self.port.settings, Activity.RUN, self.supply_v, self.stall, table)
        if self.sleep_share is None:
            return 1e3 * self.supply_v * run / self.inf_per_s
        sleep = current_ma(self.port.settings, Activity.SLEEP, self.supply_v, 0.0, table)
        return self.supply_v * (self.sleep_share * sleep + (1.0 - self.sleep_share) * run)

    def error(self, table: CurrentTable | None = None) -> float:
        """Predicted over published minus one."""
        return self.predicted(table) / self.published - 1.0


@dataclass(frozen=True)
class Damaged:
    """A published energy that its own evidence contradicts: published and true figures."""

    source: str
    reason: str
    published: float
    inf_per_s: float
    energy: Energy
    """The true one."""


@dataclass(frozen=True)
class EnergyError:
    """Root mean square, lowest and highest of errors, over so many results."""

    rms: float
    lowest: float
    highest: float
    results: int

    @property
    def words(self) -> str:
        """``"4.3 % rms, -7.0 to +10.1 %"``."""
        return f"{100 * self.rms:.1f} % rms, {100 * self.lowest:+.1f} to {100 * self.highest:+.1f} %"


def error_of(errors: Iterable[float]) -> EnergyError:
    """What errors say together; there must be one."""
    listed = list(errors)
    return EnergyError(math.sqrt(sum(e * e for e in listed) / len(listed)), min(listed), max(listed), len(listed))


@lru_cache(maxsize=1)
def _by_source() -> dict[str, PublishedResult]:
    return {row.source: row for row in published_results()}


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return load_table(_TABLE, _TABLE.with_suffix(".schema.json"))


@lru_cache(maxsize=1)
def ports() -> dict[str, ImageSettings]:
    """All ports by name, this project's own firmware (:data:`OWN_PORT`) among them."""
    return {name: ImageSettings(name, row["evidence"], row["reason"], _settings(row)) for name, row in _table()["ports"].items()}


def own_settings() -> PowerSettings:
    """What this project's firmware clocks; a test reads it back from an image."""
    return ports()[OWN_PORT].settings


def _settings(row: dict[str, Any]) -> PowerSettings:
    if "registers" in row:
        return settings_of(row["registers"], row["hclk_mhz"] * 1e6)
    blocks = row["blocks"]
    return PowerSettings(row["hclk_mhz"], "boost", True, blocks["bus"], blocks["kernel"], blocks["apb1_divider"])


def _published(source: str, streaming: bool) -> float:
    row = _by_source().get(source)
    figure = row and (row.power_mw if streaming else row.energy_uj_per_inf)
    if not figure:
        raise ResultsError(
            f"energies.yaml names {source}, not a published energy",
            hint="give a source of published.csv with an energy or a power",
        )
    return figure


def _port(name: str) -> ImageSettings:
    if name not in ports():
        raise ResultsError(f"energies.yaml names the port '{name}', which it does not describe", hint="add it under 'ports', with a reason")
    return ports()[name]


@lru_cache(maxsize=1)
def energies() -> tuple[Energy, ...]:
    """The valid published energies per inference.

    Raises:
        AssetError, ResultsError: the table is damaged, or names what is not there.
    """
    return tuple(
        Energy(r["source"], _port(r["port"]), r["supply_v"], _published(r["source"], False), r["inf_per_s"], r["stall"])
        for r in _table()["results"]
    )


@lru_cache(maxsize=1)
def streaming_energies() -> tuple[Energy, ...]:
    """The published powers of the streaming benchmark."""
    return tuple(
        Energy(r["source"], _port(r["port"]), r["supply_v"], _published(r["source"], True), 0.0, 0.022, r["sleep_share"])
        for r in _table()["streaming"]
    )


@lru_cache(maxsize=1)
def damaged_energies() -> tuple[Damaged, ...]:
    """Published energies that their own evidence contradicts; they are named, and not counted."""
    return tuple(
        Damaged(
            r["source"],
            r["reason"],
            _published(r["source"], False),
            r["inf_per_s"],
            Energy(r["source"], _port(r["port"]), r["supply_v"], r["true_uj"], r["true_inf_per_s"], 0.022),
        )
        for r in _table()["damaged"]
    )


# --- the fitted constants -------------------------------------------------------------------------------------------------------------


def fitted(rows: Sequence[Energy]) -> CurrentTable:
    """The table with the two fitted constants as these results alone give them: least squares of the relative errors."""
    base = current_table()

    def with_constants(values: Sequence[float]) -> CurrentTable:
        return replace(base, constants={**base.constants, **dict(zip(FITTED, values, strict=True))})

    nothing = np.array([row.predicted(with_constants((0.0, 0.0))) / row.published for row in rows])
    sides = [np.array([row.predicted(with_constants(one)) / row.published for row in rows]) - nothing for one in ((1.0, 0.0), (0.0, 1.0))]
    solved = np.linalg.lstsq(np.stack(sides, axis=1), 1.0 - nothing, rcond=None)[0]
    return with_constants([float(value) for value in solved])


def left_out_errors(rows: Sequence[Energy]) -> dict[str, float]:
    """Error of each result by constants that were fitted without its submitter, by source."""
    found: dict[str, float] = {}
    for submitter in sorted({row.result.submitter for row in rows}):
        table = fitted([row for row in rows if row.result.submitter != submitter])
        found.update({row.source: row.error(table) for row in rows if row.result.submitter == submitter})
    return found
