# SPDX-License-Identifier: Apache-2.0
"""Makes the embedded assets: ``python -m tools.assets.make {ad,ic,ic02,kws,vww,index} [...]``, from the top of a checkout.

``--stage data`` makes the training set, ``train`` the Keras model, ``convert`` the int8 ``.tflite``, ``samples`` the committed samples;
``all`` is all of them in this order. The table of hashes is written each time. Samples depend on seeds alone (kws also on the model's
input scale): ``samples`` reproduces the committed bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

import numpy as np

_TOP = Path(__file__).resolve().parents[2]
_EMBEDDED = _TOP / "src" / "cm4tiny" / "benchmarks" / "embedded"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.assets.make", description=__doc__.splitlines()[0])
    parser.add_argument("benchmark", choices=("ad", "ic", "ic02", "kws", "vww", "index"), nargs="+")
    parser.add_argument("--stage", choices=("data", "train", "convert", "samples", "all"), default="all")
    parser.add_argument("--work", type=Path, default=_TOP / "build" / "assets", help="folder for training data")
    parser.add_argument("--out", type=Path, default=_EMBEDDED, help="folder of the embedded files")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    for benchmark in options.benchmark:
        start = time.monotonic()
        if benchmark != "index":
            _make(benchmark, options)
        print(f"{benchmark}: {time.monotonic() - start:.0f} s", flush=True)
    write_index(options.out)
    return 0


def _make(benchmark: str, options: argparse.Namespace) -> None:
    from .recipes import RECIPES

    recipe = RECIPES[benchmark]
    data_file = options.work / f"{benchmark}.npz"
    model_file = options.out / recipe.model_file
    if options.stage in ("data", "all"):
        np.savez(data_file, **recipe.training_set())
    if options.stage in ("train", "all"):
        recipe.train(dict(np.load(data_file)), options.threads).save(options.work / f"{benchmark}.keras")
    if options.stage in ("convert", "all"):
        import keras

        from .training import to_int8

        model_file.parent.mkdir(parents=True, exist_ok=True)
        to_int8(keras.models.load_model(options.work / f"{benchmark}.keras"), recipe.calibration(dict(np.load(data_file))), model_file)
    if options.stage in ("samples", "all"):
        scale, zero_point = input_quantisation(model_file) if model_file.exists() else (1.0, 0)
        folder = options.out / recipe.data_set
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        lines = []
        for name, label, array in recipe.samples(recipe.count):
            (folder / name).write_bytes(recipe.encode(array, scale, zero_point))
            lines.append(f"{name},{recipe.classes},{label}{recipe.suffix}\n")
        (folder / "y_labels.csv").write_text("".join(lines), encoding="utf-8", newline="\n")


def input_quantisation(model: Path) -> tuple[float, int]:
    """Scale and zero point of a ``.tflite`` file's input tensor."""
    import tflite

    graph = tflite.Model.GetRootAs(model.read_bytes(), 0).Subgraphs(0)
    quantisation = graph.Tensors(graph.Inputs(0)).Quantization()
    return float(quantisation.Scale(0)), int(quantisation.ZeroPoint(0))


def write_index(folder: Path) -> None:
    """``index.yaml``: sha256 and size of every model and sample in the folder, sorted by name."""
    rows = [
        "# SPDX-License-Identifier: Apache-2.0",
        "# Written by tools/assets/make.py. What the files are: docs/embedded-assets.md.",
        "version: 1",
        "files:",
    ]
    for path in sorted(folder.glob("*/*")):
        data = path.read_bytes()
        rows.append(f"  {path.relative_to(folder).as_posix()}: {{sha256: {hashlib.sha256(data).hexdigest()}, bytes: {len(data)}}}")
    (folder / "index.yaml").write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
