# SPDX-License-Identifier: Apache-2.0
"""RAM budgets: what a user may write, and what is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.boards.boards import default_board
from cm4tiny.errors import RamBudgetError, UsageError
from cm4tiny.events import SILENT
from cm4tiny.firmware import microtvm_image
from cm4tiny.firmware.build_spec import BuildSpec
from cm4tiny.firmware.microtvm_image import build_microtvm, parse_ram_budget

STACK_BYTES = default_board().stack_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [("", None), (" ", None), ("131072", 131072), ("128K", 131072), ("128 kb", 131072), ("128KiB", 131072), ("640K", 655360)],
)
def test_sizes_are_bytes_or_kilobytes(text, size):
    assert parse_ram_budget(text) == size


@pytest.mark.parametrize("text", ["lots", "-1", "1.5K", "0", "641K", "128M", "9" * 30])
def test_a_wrong_size_is_refused(text):
    with pytest.raises(UsageError) as caught:
        parse_ram_budget(text)
    assert caught.value.hint


@pytest.mark.parametrize("changes", [{"ram_budget": 1}, {"skip_zero": False}, {"prune_channels": True}, {"costs": "x.json"}])
def test_other_engines_have_no_such_choices(changes):
    with pytest.raises(UsageError, match="tflm has no RAM budget"):
        BuildSpec(benchmark="kws", engine="tflm", mode="performance", model="m.tflite", **changes).check()


@dataclass
class Fake:
    """A compiler and a linker: the image takes what the model was allowed but for ``slack``, and ``harness`` on top."""

    harness: int
    budgets: list[int]
    least: int = 0
    slack: int = 0

    def compile(self, tflite, *, name, options, costs, events):
        self.budgets.append(options.ram_budget)
        if options.ram_budget < self.least:
            raise RamBudgetError("too little", needed=self.least)
        return SimpleNamespace(ram_bytes=options.ram_budget - self.slack, division="closed")

    def build(self, benchmark, model, *, mode, toolchain, out_dir, board, events):
        return SimpleNamespace(ram_bytes=model.ram_bytes + self.harness)


def built(monkeypatch, harness: int, budget: int, least: int = 0, slack: int = 0):
    fake = Fake(harness, [], least, slack)
    import cm4tiny.firmware.microtvm as microtvm

    monkeypatch.setattr(microtvm, "compile_model", fake.compile)
    monkeypatch.setattr(microtvm_image, "build_firmware", fake.build)
    spec = BuildSpec(benchmark="kws", engine="microtvm", mode="performance", model="", ram_budget=budget)
    return fake, build_microtvm(spec, get_benchmark("kws"), b"", None, Path(), SILENT)


def test_a_model_gets_what_stack_and_harness_leave(monkeypatch):
    fake, own = built(monkeypatch, 1000, 100_000)
    assert len(fake.budgets) == 1
    assert own.image.ram_bytes + STACK_BYTES <= 100_000


def test_a_larger_harness_than_expected_is_taken_into_account(monkeypatch):
    fake, own = built(monkeypatch, 9000, 100_000)
    assert len(fake.budgets) == 2
    assert own.image.ram_bytes + STACK_BYTES == 100_000


def test_a_budget_below_the_harness_says_what_is_enough(monkeypatch):
    with pytest.raises(RamBudgetError) as caught:
        built(monkeypatch, 1000, 9000)
    assert caught.value.needed == 9192
    assert "--ram_budget=9192" in caught.value.hint
    assert built(monkeypatch, 1000, 9192)[1].image.ram_bytes + STACK_BYTES == 9192


@pytest.mark.parametrize("slack", [0, 1, 2700])
@pytest.mark.parametrize("harness", [10, 3000, 20_000])
def test_the_budget_that_is_named_is_enough_and_the_least(monkeypatch, harness, slack):
    """The compiler of this test needs 5000 bytes to plan with, of which its plan may leave some."""
    with pytest.raises(RamBudgetError) as caught:
        built(monkeypatch, harness, 9000, least=5000, slack=slack)
    needed = caught.value.needed
    assert needed == 5000 - slack + harness + STACK_BYTES
    assert built(monkeypatch, harness, needed, least=5000, slack=slack)[1].image.ram_bytes + STACK_BYTES <= needed
    with pytest.raises(RamBudgetError):
        built(monkeypatch, harness, needed - 1, least=5000, slack=slack)
