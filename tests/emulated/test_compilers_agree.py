# SPDX-License-Identifier: Apache-2.0
"""Every real tool chain makes the same of a real model: the reference kernels' outputs, and micro-kernels that are equal byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from cm4tiny.benchmarks import embedded_model, get_benchmark
from cm4tiny.boards import VirtualBoard
from cm4tiny.boards.elf_image import read_elf
from cm4tiny.errors import ToolchainError
from cm4tiny.firmware.build_spec import BuildSpec
from cm4tiny.firmware.engines.catalogue import MICROTVM
from cm4tiny.firmware.reference import reference_run
from cm4tiny.firmware.toolchain import KINDS, find_toolchain
from cm4tiny.images.fidelity import synthetic_input
from cm4tiny.runner import Dut
from cm4tiny.verification import build as build_image

INPUTS = 3
Built = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The ELF of a benchmark by a kind of tool chain, the default plan; ToolchainError where this machine cannot have it."""

    @cache
    def build(benchmark: str, kind: str) -> Path:
        find_toolchain(kind, install=kind in ("pip", "zig"))
        spec = BuildSpec(benchmark, MICROTVM, "performance", str(embedded_model(benchmark)), toolchain=kind)
        return build_image(spec, tmp_path_factory.mktemp(f"{benchmark}-{kind}")).elf

    return build


def micro_kernels(elf: Path) -> dict[str, bytes]:
    """Name -> machine code of the functions that were written in assembly."""
    image, found = read_elf(elf), {}
    for name in re.findall(r"^void (cm4t_\w+)\(", (elf.parent / "model.c").read_text(), flags=re.MULTILINE):
        symbol = image.symbols[name]
        segment = next(part for part in image.segments if part.run_address <= symbol.address < part.run_address + len(part.data))
        start = symbol.address - segment.run_address
        found[name] = segment.data[start : start + symbol.size]
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("benchmark", ["kws", "ic"])
def test_every_tool_chain_makes_a_firmware_that_computes_the_reference_outputs(built: Built, benchmark: str, kind: str) -> None:
    try:
        elf = built(benchmark, kind)
    except ToolchainError as error:
        pytest.skip(f"tool chain '{kind}': {error.why}")
    row = get_benchmark(benchmark)
    output = read_elf(elf).symbols["model_output"]
    sent = [synthetic_input(row, seed) for seed in range(INPUTS)]
    values = np.array([np.frombuffer(data, dtype=np.uint8) for data in sent])
    inputs = (values ^ 128).view(np.int8) if row.input_kind == "uint8" else values.view(np.int8)
    expected = reference_run(embedded_model(benchmark).read_bytes(), inputs)
    with VirtualBoard(elf) as board:
        dut = Dut(board.link)
        for data, wanted in zip(sent, expected, strict=True):
            dut.load(data)
            dut.infer(1)
            found = np.frombuffer(board.read_memory(output.address, output.size), dtype=np.int8)
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("benchmark", ["kws", "ic"])
def test_every_tool_chain_assembles_the_micro_kernels_to_the_same_bytes(built: Built, benchmark: str) -> None:
    found: dict[str, dict[str, bytes]] = {}
    for kind in KINDS:
        try:
            found[kind] = micro_kernels(built(benchmark, kind))
        except ToolchainError:
            continue
    if len(found) < 2:
        pytest.skip("needs two tool chains")
    kernels = next(iter(found.values()))
    assert kernels and all(kernels.values())
    for kind, others in found.items():
        assert others == kernels, kind
