# SPDX-License-Identifier: Apache-2.0
"""Measures the embedded models: ``python -m tools.assets.measure {ad,ic,ic02,kws,vww} [--count N --seed S]``.

Without options on the committed samples; with ``--count`` and ``--seed`` on fresh ones, which shows how much of a figure is the luck of a
small set. Needs tflite-runtime or ai-edge-litert (reference kernels), not TensorFlow.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .make import _EMBEDDED, input_quantisation
from .recipes import RECIPES


def interpreter(model: Path) -> object:
    """A TFLite interpreter with the reference kernels."""
    try:
        from tflite_runtime.interpreter import Interpreter, OpResolverType
    except ImportError:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    made = Interpreter(str(model), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    made.allocate_tensors()
    return made


def _answers(runner: object, inputs: np.ndarray) -> np.ndarray:
    here, there = runner.get_input_details()[0], runner.get_output_details()[0]
    out = []
    for item in inputs:
        runner.set_tensor(here["index"], item.reshape(here["shape"]))
        runner.invoke()
        out.append(runner.get_tensor(there["index"])[0])
    scale, zero = there["quantization"]
    return (np.asarray(out, np.float64) - zero) * scale


def _windows(data: bytes) -> np.ndarray:
    frames = np.frombuffer(data, "<f4").reshape(-1, 128)
    return np.concatenate([frames[i : len(frames) - 4 + i] for i in range(5)], axis=1)


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve by ranks; ties count one half."""
    good, bad = scores[labels == 0], scores[labels == 1]
    return float(np.mean((bad[:, None] > good[None, :]) + 0.5 * (bad[:, None] == good[None, :])))


def metric(benchmark: str, model: Path, samples: Iterator[tuple[int, bytes]]) -> float:
    """Top-1 in per cent, or AUC for ``ad``."""
    runner = interpreter(model)
    scale, zero = input_quantisation(model)
    labels, found = [], []
    for label, data in samples:
        labels.append(label)
        if benchmark == "ad":
            rows = _windows(data)
            quantised = np.clip(np.round(rows / scale) + zero, -128, 127).astype(np.int8)
            found.append(np.mean((rows - _answers(runner, quantised)) ** 2))
        elif benchmark == "kws":
            found.append(np.argmax(_answers(runner, np.frombuffer(data, np.int8)[None])[0]))
        else:
            found.append(np.argmax(_answers(runner, (np.frombuffer(data, np.uint8).astype(int) - 128).astype(np.int8)[None])[0]))
    if benchmark == "ad":
        return auc(np.array(found), np.array(labels))
    return 100.0 * float(np.mean(np.array(found) == np.array(labels)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", choices=sorted(RECIPES), nargs="+")
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--embedded", type=Path, default=_EMBEDDED)
    options = parser.parse_args()
    for benchmark in options.benchmark:
        recipe = RECIPES[benchmark]
        model = options.embedded / recipe.model_file
        if options.count:
            scale, zero = input_quantisation(model)
            made = recipe.samples(options.count, seed=options.seed) if options.seed else recipe.samples(options.count)
            samples = ((label, recipe.encode(array, scale, zero)) for _, label, array in made)
        else:
            folder = options.embedded / recipe.data_set
            lines = [line.split(",") for line in (folder / "y_labels.csv").read_text().splitlines()]
            samples = ((int(line[2]), (folder / line[0]).read_bytes()) for line in lines)
        print(f"{benchmark}: {metric(benchmark, model, samples):.4g}")


if __name__ == "__main__":
    main()
