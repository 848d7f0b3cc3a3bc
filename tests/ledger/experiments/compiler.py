# SPDX-License-Identifier: Apache-2.0
"""Models that a compiler may get wrong, images that may compute something else, and what is said about them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

import numpy as np
import tflite
import tiny_tflite as tt
from firmware_stubs import HostHarness, load_commands
from host_model import HostModel
from tiny_images import build_image

from cm4tiny.benchmarks import get_benchmark
from cm4tiny.errors import RamBudgetError
from cm4tiny.firmware.build_spec import NOT_VERIFIED, check_given_model, check_model, is_verified
from cm4tiny.firmware.kernels.image import Window
from cm4tiny.firmware.kernels.int16 import add, conv, depthwise, pool
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.storage import nchw, nhwc
from cm4tiny.firmware.microtvm import CompileOptions, compile_model
from cm4tiny.firmware.reference import reference_run
from cm4tiny.results.report import make_report
from cm4tiny.verification import verify_image
from cm4tiny.verification.comparison import candidate_inputs
from ledger.outcome import Outcome, attempt


def model_of(inputs: Mapping[str, Any]) -> bytes:
    """A model from a list: ``shape`` of the input, ``layers``: [kind, arguments by name]; ``from`` names a layer's input by number.

    Layer 0 is the input. Everything that is not said is drawn with a fixed seed.
    """
    rng, g = np.random.default_rng(5), tt.TinyTflite()
    zero = inputs.get("zero_point", -3)
    names = inputs.get("names", {})
    shapes, scales = [tuple(inputs["shape"])], [0.05]
    tensors = [g.tensor(names.get(0, "t0"), shapes[0], inputs.get("type", "int8"), *([0.05, zero] if "type" not in inputs else []))]
    for number, (kind, fields) in enumerate(inputs["layers"], start=1):
        sources = fields.get("from", [number - 1])
        x, shape = tensors[sources[0]], shapes[sources[0]]
        output, scale = tuple(fields.get("output", shape)), scales[sources[0]] if kind in ("pool", "reshape", "other") else 0.08
        dtype = fields.get("type", "int8")
        quantised = [scale if kind != "softmax" else 1 / 256, zero if kind != "softmax" else -128] if dtype == "int8" else []
        if kind in ("reshape", "pool", "other") and quantised:
            quantised = [scale, zero]
        y = g.tensor(names.get(number, f"t{number}"), output, dtype, *quantised)
        activation = fields.get("activation", "NONE")
        if kind in ("conv", "depthwise"):
            kernel, channels = tuple(fields.get("kernel", (1, 1))), output[3]
            wide = kind == "conv"
            w_shape = (channels, *kernel, shape[3]) if wide else (1, *kernel, channels)
            per = fields.get("per_channel", False)
            w_scale = [0.01 + 0.001 * i for i in range(channels)] if per else 0.01
            axis = fields.get("axis", 0 if wide or not per else 3)
            w = g.tensor(f"w{number}", w_shape, "int8", w_scale, axis=axis, data=rng.integers(-127, 128, w_shape))
            b = g.tensor(f"b{number}", (channels,), "int32", [s * 0.05 for s in w_scale] if per else 0.0005,
                         axis=fields.get("bias_axis", 0), data=rng.integers(-900, 900, channels))  # fmt: skip
            make = tt.conv if wide else tt.depthwise
            make(g, x, w, b, y, padding=fields.get("padding", "SAME"), strides=tuple(fields.get("strides", (1, 1))), activation=activation)
        elif kind == "dense":
            w_shape = (output[-1], fields["inputs"])
            w_scale = [0.01 + 0.002 * i for i in range(output[-1])] if fields.get("per_channel") else 0.01
            w = g.tensor(f"w{number}", w_shape, "int8", w_scale, data=rng.integers(-127, 128, w_shape))
            tt.fully_connected(g, x, w, None, y, activation=activation)
        elif kind == "add":
            tt.add(g, x, tensors[sources[1]], y, activation=activation)
        elif kind == "pool":
            tt.average_pool(g, x, y, size=tuple(fields["size"]), strides=tuple(fields["size"]))
        elif kind == "reshape":
            tt.reshape(g, x, y, output)
        else:
            g.op(
                getattr(tflite.BuiltinOperator, fields["operator"]), [x, *fields.get("rest", [])], [y, *([y] if fields.get("two") else [])]
            )
        tensors.append(y)
        shapes.append(output)
        scales.append(scale)
    return g.build([tensors[0]], [tensors[-1]])


def answers(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """Compiles a model and compares its answers with the reference kernels, byte by byte; ``packed``: the int8 kernels."""

    def act() -> Outcome:
        model = model_of(inputs)
        compiled = compile_model(model, options=CompileOptions(int16=not inputs.get("packed", False)))
        rows = candidate_inputs(compiled.input)[:4]
        differing = int(np.count_nonzero(HostModel(compiled).run(rows) != reference_run(model, rows)))
        return Outcome("wrong" if differing else "correct", text=f"{differing} values differ")

    return attempt(act)


def image(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """Compiles, links and executes; ``damage``: which line of the generated C is lost before that."""
    model = model_of(inputs)
    damage = None
    if inputs.get("damage"):
        lines = compile_model(model).source.splitlines()
        damage = (next(line for line in lines if line.startswith(inputs["damage"])), "")

    def act() -> Outcome:
        built, benchmark, tensors = build_image(model, folder, damage=damage)
        found = verify_image(built.elf, benchmark, "microtvm", model, tensors)
        return Outcome("wrong" if damage else "correct", text=f"{found.differing} of {found.values} values differ")

    return attempt(act)


def door(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """What is said of a model that cannot be compiled."""
    return attempt(lambda: Outcome("wrong", text=f"compiled to {compile_model(model_of(inputs)).ram_bytes} bytes"))


def budget(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A RAM budget that is too small: what the error says is needed is then allowed, and a byte less."""
    model = model_of(inputs)

    def within(size: int) -> int:
        return compile_model(model, options=CompileOptions(ram_budget=size)).ram_bytes

    try:
        return Outcome("wrong", text=f"fits into {within(inputs['budget'])} bytes")
    except RamBudgetError as error:
        if within(error.needed) > error.needed:
            return Outcome("wrong", text=f"{error.needed} bytes are not enough")
        try:
            return Outcome("wrong", text=f"{within(error.needed - 1)} bytes are enough, too")
        except RamBudgetError:
            return Outcome("refused", type(error).__name__, str(error))


def sizes(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A model of other sizes than the benchmark's, before anything is compiled."""

    def act() -> Outcome:
        check_model(inputs["engine"], get_benchmark("kws"), model_of(inputs))
        return Outcome("wrong", text="accepted")

    return attempt(act)


def library(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A model that an engine's library cannot run, before the library is built."""
    path = folder / "model.tflite"
    path.write_bytes(model_of(inputs))

    def act() -> Outcome:
        check_given_model(inputs["engine"], "kws", str(path))
        return Outcome("wrong", text="accepted")

    return attempt(act)


def set_up(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A firmware whose model cannot be set up is asked for ``command``."""
    harness = HostHarness(folder, "kws", "performance", failure="the arena is too small")
    *_, answer = harness.answers(*load_commands(bytes(490)), inputs["command"])
    if "m-results" in answer or "m-lap" in answer or not answer.startswith("e-["):
        return Outcome("wrong", text=answer)
    return Outcome("refused", text=answer)


def guard(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A kernel is offered memory that holds an image of another shape than its layer sees."""
    window, around, nothing = Window(4, 4, 2, (3, 3), (1, 1), (1, 1, 1, 1)), (1, 1, 1, 1), cast(Any, None)
    weights = np.ones((2, 3, 3, 2), np.int8)
    offers: dict[str, Callable[[], object]] = {
        "conv": lambda: conv.candidates(window, weights, nothing, nhwc(2, 8, 2, around), nhwc(4, 4, 2)),
        "depthwise": lambda: depthwise.candidates(window, weights[0], nothing, nchw(2, 8, 2, around), nhwc(4, 4, 2)),
        "pool": lambda: pool.candidates(Window(4, 4, 2, (2, 2), (2, 2)), 0, nhwc(2, 8, 2), nhwc(2, 2, 2), low=-128, high=127),
        "add": lambda: add.candidates(nothing, nhwc(4, 4, 2), nhwc(2, 8, 2), nhwc(4, 4, 2)),
    }
    try:
        offers[inputs["kernel"]]()
    except KernelLimitError as error:
        return Outcome("refused", type(error).__name__, str(error))
    return Outcome("wrong", text="accepted")


def unverified(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The report of a run whose image was never executed."""
    entry = {"benchmark": "kws", "mode": "accuracy", "simulated": True, "verified": is_verified({"verification": NOT_VERIFIED}),
             "metric": "top-1", "value": 91.0, "samples": 10, "quality_target": 90.0, "quality_target_met": True}  # fmt: skip
    notice = make_report(board="virtual", engine="microtvm", assets="mlcommons", results=[entry], files=[], tools={})["notice"]
    return Outcome("noted" if "not verified" in notice else "wrong", text=notice)
