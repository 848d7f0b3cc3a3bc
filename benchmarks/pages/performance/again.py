# SPDX-License-Identifier: Apache-2.0
"""The rows of the embedded models: measured by whoever writes the page, and again by the tests of every checkout."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cm4tiny.benchmarks.assets import model_file
from cm4tiny.firmware.build_spec import BuildSpec
from cm4tiny.firmware.engines.catalogue import MICROTVM
from cm4tiny.firmware.toolchain import find_toolchain
from cm4tiny.images.fidelity import measure
from cm4tiny.verification import build
from pages.performance.rows import Again

AGAIN = ("ad", "kws")
"""Benchmarks: all kinds of layers but additions and Winograd's, in seconds."""


def measure_again(benchmark: str) -> Again:
    """The row of a benchmark's embedded model, built by the tool chain of this machine.

    Raises:
        ToolchainError: there is none.
    """
    toolchain = find_toolchain("auto", install=False)
    spec = BuildSpec(benchmark, MICROTVM, "performance", str(model_file(benchmark, "embedded")), toolchain=toolchain.kind)
    with tempfile.TemporaryDirectory() as folder:
        image = build(spec, Path(folder))
        row = measure(image.elf, benchmark, row_id=benchmark, kind="build", constants=False)
    return Again(benchmark, toolchain.version, row.cycles, row.instructions, image.flash_bytes, image.ram_bytes)
