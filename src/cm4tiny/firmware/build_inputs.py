# SPDX-License-Identifier: Apache-2.0
"""Whether a firmware image can be asked for at all, before a tool chain is fetched or a library is built.

What is checked here is checked again where it is used; this is only earlier. Nothing is compiled, TVM is not imported, and a request
without options costs nothing.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from cm4tiny.errors import ModelError, UsageError

if TYPE_CHECKING:
    from cm4tiny.benchmarks import Benchmark


LOW_RAM = "128K"
"""The RAM budget of the variation ``_low_ram``, which the step that compiles sets."""


def check_build_inputs(
    benchmark: str,
    *,
    engine: str = "",
    image: str = "performance",
    model: Path | None = None,
    costs: Path | None = None,
    ram_budget: str = "",
    zeros: str = "",
    channels: str = "",
    memory: str = "",
) -> None:
    """Checks the inputs of the steps that build firmware, as they are before the first dependency runs.

    Args:
        benchmark: an id, ``own`` for a model that belongs to none, or ``all``.
        engine: its name; empty for this project's own.
        image: ``performance`` or ``energy``.
        model: the user's ``.tflite``.
        costs: a table of kernel costs.
        ram_budget: bytes, or as in ``128K``; empty for all of the chip's.
        zeros, channels, memory: words of the variations.

    Raises:
        UsageError: an unknown name, a size that is not possible, options that the engine does not have.
        ModelError: the model cannot be read, is not int8, has an operator that the engine lacks, or does not fit the benchmark.
        FirmwareError: the table of costs is damaged.
    """
    _check_submitted(benchmark, engine)
    if not any((model, costs, ram_budget, zeros, channels, memory)):
        return
    from cm4tiny.benchmarks import ROUNDS, chosen_benchmarks
    from cm4tiny.firmware.build_spec import BuildSpec, prunes_channels, read_model_file, skips_zeros
    from cm4tiny.firmware.engines.catalogue import MICROTVM, takes_model
    from cm4tiny.firmware.microtvm_image import parse_ram_budget

    engine = engine or MICROTVM
    given = str(model or "")
    budget = parse_ram_budget(ram_budget or (LOW_RAM if memory else ""))
    if given and benchmark in ("all", *ROUNDS):
        raise UsageError("--model is the model of one benchmark, and none was chosen", hint=_choose(given, engine))
    for name in chosen_benchmarks(benchmark):
        spec = BuildSpec(
            name,
            engine,
            image,
            given,
            ram_budget=budget,
            costs=str(costs or ""),
            skip_zero=skips_zeros(zeros),
            prune_channels=prunes_channels(channels),
        )
        spec.check()
        row = spec.subject(read_model_file(given) if given else b"")
        _check_budget(budget, row)
        if given and takes_model(engine):
            check_model_file(given, row, engine)
    if costs:
        from cm4tiny.firmware.microtvm.costs import read_costs

        read_costs(costs)


def chosen_benchmark(benchmark: str, model: Path | None, otherwise: str) -> str:
    """What a step that was given a model works on: the benchmark that was named, else the model itself, else ``otherwise``."""
    from cm4tiny.benchmarks.own import OWN

    return benchmark or (OWN if model else otherwise)


def _check_submitted(benchmark: str, engine: str) -> None:
    """Refuses an engine that is a submission's code for a benchmark that came with a later round."""
    if not engine:
        return
    from cm4tiny.benchmarks import ALL_BENCHMARKS, chosen_benchmarks
    from cm4tiny.firmware.engines import octoml

    if engine not in octoml.VARIANTS:
        return
    for name in chosen_benchmarks(benchmark):
        row = ALL_BENCHMARKS.get(name)
        if row is not None and row.since > octoml.ROUND:
            there = ", ".join(key for key, one in ALL_BENCHMARKS.items() if one.since <= octoml.ROUND)
            raise UsageError(
                f"OctoML submitted no code for '{name}'",
                why=f"its submission is of round {octoml.ROUND}, and {name} came with round {row.since}",
                hint=f"choose of {there}, or another engine",
            )


def _check_budget(budget: int | None, benchmark: Benchmark) -> None:
    """Refuses a budget that not even the harness fits into; whether the model does, the compiler finds out."""
    from cm4tiny.firmware.microtvm_image import harness_ram

    least = harness_ram(benchmark)
    if budget is not None and budget <= least:
        raise UsageError(
            f"--ram_budget={budget} is not possible",
            why=f"the stack, the input and the buffers of {benchmark.id} take about {least} bytes of RAM, without the model",
            hint="give bytes for the whole image, or kilobytes as in 128K",
        )


def _choose(model: str, engine: str) -> str:
    """What to do with a model where no benchmark was named; raises ModelError if the engine does not take it at all."""
    from cm4tiny.benchmarks import ALL_BENCHMARKS, get_benchmark
    from cm4tiny.firmware.build import check_sizes
    from cm4tiny.firmware.build_spec import checked_ends, read_model_file

    ends = checked_ends(engine, read_model_file(model))
    fitting = []
    for name in ALL_BENCHMARKS:
        with contextlib.suppress(ModelError):
            check_sizes(get_benchmark(name), *ends)
            fitting.append(f"_{name}")
    if fitting:
        return f"add the benchmark to the tags: {' or '.join(fitting)}"
    return f"it has the sizes of no benchmark; what it costs by itself, this says:\ncm run script --tags=predict,tiny,model --model={model}"


def check_probabilities(model: Path, benchmark: str, engine: str = "") -> None:
    """Raises ModelError if a benchmark takes probabilities as results and a model's output can be negative.

    The MLCommons runner divides the results of a sample by their sum; of logits, that changes which one is the largest.
    """
    from cm4tiny.benchmarks import get_benchmark
    from cm4tiny.firmware.build_spec import checked_ends, read_model_file
    from cm4tiny.firmware.engines.catalogue import MICROTVM

    result = checked_ends(engine or MICROTVM, read_model_file(str(model)))[1]
    if get_benchmark(benchmark).output_kind == "softmax" and result.zero_point != -128:
        raise ModelError(
            f"the model's results are not probabilities, which {benchmark} takes",
            why=f"its output has zero point {result.zero_point}, so it can be negative; the protocol's runners divide results by their sum",
            hint=f"end the model in a softmax; what it costs as it is, this says:\ncm run script --tags=predict,tiny,model --model={model}",
        )


def check_model_file(model: str, benchmark: Benchmark, engine: str) -> None:
    """Raises ModelError if the engine cannot compile the file for the benchmark; says the same as the build would."""
    from cm4tiny.firmware.build_spec import check_model, read_model_file

    check_model(engine, benchmark, read_model_file(model))
