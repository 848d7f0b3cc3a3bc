# SPDX-License-Identifier: Apache-2.0
"""What each kind of kernel costs in the models of the benchmark, as tuning measured it on the virtual board: prints a table.

    python benchmarks/kernel_costs.py [MODEL.tflite ...]

The figures are those of the shipped table (``microtvm/costs.json``, made by ``benchmarks/tune.py``): per layer the best measured candidate
of a kind, in cycles per multiply-accumulate, per value for additions. Without files: the embedded models. Layers that were never tuned,
such as those with one candidate only, are left out, and those whose zeros are.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from cm4tiny.benchmarks import embedded_model
from cm4tiny.firmware.graph import Conv, Layer
from cm4tiny.firmware.microtvm.compiler import survey
from cm4tiny.firmware.microtvm.costs import content, shipped_costs
from cm4tiny.firmware.microtvm.layout import Action

EMBEDDED = ("ad", "ic", "kws", "vww")
_KIND = re.compile(r"winograd 4x4(?:/2)?|depthwise pixels|add \w+|[a-z]+")


def kind_of(candidate: str) -> str:
    """What a candidate's id begins with."""
    match = _KIND.match(candidate)
    return match[0] if match else candidate


def best_of(actions: Sequence[Action]) -> Mapping[str, list[float]]:
    """Kind -> of each measured layer the least cycles per multiply-accumulate or value."""
    found: dict[str, list[float]] = defaultdict(list)
    for action in actions:
        measured = shipped_costs().layers.get(content(action), {})
        if action.layer is None or not measured or _skips(action.layer):
            continue
        work = action.layer.macs or action.layer.output.size
        best: dict[str, float] = {}
        for candidate, cycles in measured.items():
            kind = kind_of(candidate)
            best[kind] = min(best.get(kind, float("inf")), cycles / work)
        for kind, cost in best.items():
            found[kind].append(cost)
    return found


def _skips(layer: Layer) -> bool:
    """Whether weights that are zero are left out: then multiply-accumulates are no measure."""
    return isinstance(layer, Conv) and (layer.live_outputs is not None or layer.live_inputs is not None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    models = parser.parse_args().models or [embedded_model(name) for name in EMBEDDED]
    total: dict[str, list[float]] = defaultdict(list)
    for path in models:
        for kind, costs in best_of(survey(path.read_bytes())).items():
            total[kind] += costs
    print("| kind | measured layers | least | median | most |")
    print("|---|---|---|---|---|")
    for kind, costs in sorted(total.items()):
        costs.sort()
        print(f"| `{kind}` | {len(costs)} | {costs[0]:.2f} | {costs[len(costs) // 2]:.2f} | {costs[-1]:.2f} |")


if __name__ == "__main__":
    main()
