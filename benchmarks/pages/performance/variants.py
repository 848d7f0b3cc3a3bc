# SPDX-License-Identifier: Apache-2.0
"""What is measured for the performance page: the engines, and our own under several plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cm4tiny.errors import UsageError, nearest
from cm4tiny.firmware.engines.catalogue import MICROTVM
from pages.performance.rows import BENCHMARKS

CLOSED, OPEN = "closed", "open"
OCTOML = ("ad", "ic", "kws", "vww")
LOW_RAM_BYTES = 128 * 1024


@dataclass(frozen=True)
class Variant:
    """An engine with its options.

    Attributes:
        id: in the rows and on the command line.
        label: in tables and in the chart.
        engine: id of the engine (:mod:`cm4tiny.firmware.engines.catalogue`).
        note: what sets it apart, human-readable; empty for engines of others.
        options: fields of :class:`~cm4tiny.firmware.build_spec.BuildSpec` that differ from its defaults.
        division: of MLPerf Tiny, in which such a result could be submitted.
        benchmarks: ids of those that it can run.
    """

    id: str
    label: str
    engine: str
    note: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    division: str = CLOSED
    benchmarks: tuple[str, ...] = BENCHMARKS

    @property
    def own(self) -> bool:
        """Whether it is this project's engine."""
        return self.engine == MICROTVM


DEFAULT = "microtvm"
NO_SKIP = "microtvm_no_skip"
LOW_RAM = "microtvm_low_ram"
PRUNED = "microtvm_no_dead"
TFLM_CMSIS_NN = "tflm_cmsis_nn"

VARIANTS = (
    Variant(DEFAULT, "cm4tiny", MICROTVM, "the default plan"),
    Variant(
        NO_SKIP, "cm4tiny, nothing skipped", MICROTVM, "dot products whose weights are all zero are computed too", {"skip_zero": False}
    ),
    Variant(
        LOW_RAM,
        "cm4tiny, low RAM",
        MICROTVM,
        f"planned for at most {LOW_RAM_BYTES:,} bytes of RAM, the stack of 8 KB included (vww's activations alone take more)",
        {"ram_budget": LOW_RAM_BYTES},
        benchmarks=("ad", "ic", "kws", "sww"),
    ),
    Variant(
        PRUNED,
        "cm4tiny, open division",
        MICROTVM,
        "channels that cannot change the result are removed with their weights",
        {"prune_channels": True},
        OPEN,
    ),
    Variant("tflm", "TFLM", "tflm"),
    Variant(TFLM_CMSIS_NN, "TFLM + CMSIS-NN", "tflm_cmsis_nn"),
    Variant("octoml_native", "OctoML v1.0, native", "octoml_native", benchmarks=OCTOML),
    Variant("octoml_cmsis_nn", "OctoML v1.0, CMSIS-NN", "octoml_cmsis_nn", benchmarks=OCTOML),
)


def variant(name: str) -> Variant:
    """A variant by its id; raises UsageError with the nearest one."""
    names = tuple(one.id for one in VARIANTS)
    found = next((one for one in VARIANTS if one.id == name), None)
    if found is None:
        raise UsageError(f"there is no variant called '{name}'", hint=nearest(name, names) or f"choose among {', '.join(names)}")
    return found
