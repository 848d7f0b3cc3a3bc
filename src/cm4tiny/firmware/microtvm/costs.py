# SPDX-License-Identifier: Apache-2.0
"""What candidates really cost: cycles measured on the virtual board, by content.

A layer's content is everything that decides about its code and its time: its kind, geometry and zero points, and where its tensors lie. Its
digest is the key; a cost measured for other content is never found. Costs that were measured with other kernels than the present ones are
not used either: the table carries their version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

import jsonschema

from cm4tiny.errors import FirmwareError
from cm4tiny.firmware.graph import AveragePool, Conv, Dense, Portable
from cm4tiny.firmware.kernels import KERNELS_VERSION
from cm4tiny.firmware.kernels.base import Candidate
from cm4tiny.firmware.microtvm.layout import Action

SHIPPED = "costs.json"
_NAMES_IN_DIGESTS = {"NHWC": "pixels", "NCHW": "planes"}
"""How layouts are called in what is digested: tables that users measured stay valid."""

_SCHEMA = {
    "type": "object",
    "required": ["kernels", "layers"],
    "additionalProperties": False,
    "properties": {
        "kernels": {"type": "integer", "minimum": 0},
        "layers": {
            "type": "object",
            "patternProperties": {
                "^[0-9a-f]{16}$": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 1 << 40}}
            },
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True)
class Costs:
    """Measured cycles: content -> candidate id -> cycles.

    Attributes:
        kernels: version of the kernels that were measured.
    """

    kernels: int
    layers: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def apply(self, action: Action) -> Action:
        """The action with measured cycles in place of estimates. Candidates that were not measured are scaled to those that were."""
        known = self.layers.get(content(action), {}) if self.kernels == KERNELS_VERSION else {}
        pairs = [(known[c.id], c.cycles) for c in action.candidates if c.id in known]
        if not pairs:
            return action
        ratio = sum(m for m, _ in pairs) / max(1, sum(e for _, e in pairs))
        return replace(action, candidates=tuple(_with(c, known.get(c.id, round(c.cycles * ratio))) for c in action.candidates))

    def merged(self, layers: Mapping[str, Mapping[str, int]]) -> Costs:
        """With more measurements; costs of other kernels are dropped."""
        old = self.layers if self.kernels == KERNELS_VERSION else {}
        return Costs(KERNELS_VERSION, {**old, **layers})

    def text(self) -> str:
        """As JSON, one layer per line."""
        rows = [f"  {json.dumps(key)}: {json.dumps(dict(sorted(self.layers[key].items())))}" for key in sorted(self.layers)]
        return '{\n "kernels": ' + json.dumps(self.kernels) + ',\n "layers": {\n' + ",\n".join(rows) + "\n }\n}\n"


def _with(candidate: Candidate, cycles: int) -> Candidate:
    return replace(candidate, cycles=cycles)


def read_costs(path: Path) -> Costs:
    """Costs from a file.

    Raises:
        FirmwareError: it cannot be read or is not a table of costs.
    """
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, jsonschema.ValidationError) as error:
        reason = error.message if isinstance(error, jsonschema.ValidationError) else str(error)
        raise FirmwareError(f"{path} is not a table of kernel costs", why=reason, hint="tune again: add --tune to the command") from error


@lru_cache(maxsize=1)
def shipped_costs() -> Costs:
    """The costs of the official and the embedded models, which come with the package."""
    return _parsed(resources.files(__package__).joinpath(SHIPPED).read_text(encoding="utf-8"))


def _parsed(text: str) -> Costs:
    data = json.loads(text)
    jsonschema.validate(data, _SCHEMA)
    return Costs(data["kernels"], data["layers"])


def content(action: Action) -> str:
    """Digest of all that decides about an action's code and time: what it computes, its geometry, and the storage that it reads and writes.

    The values of weights and scales are data to the kernels; they decide about results, not about time.
    """
    facts: list[object] = [action.kind]
    layer = action.layer
    if layer is not None:
        facts += [type(layer).__name__, layer.low, layer.high]
        if isinstance(layer, Conv | Dense):
            facts.append(layer.weights.shape)
        if isinstance(layer, Conv):
            facts += [layer.window, layer.depthwise, layer.live_outputs, layer.live_inputs]
        if isinstance(layer, AveragePool):
            facts.append(layer.window)
        if isinstance(layer, Portable):
            facts += [layer.operator, layer.facts]
    facts += [(value.tensor.shape, value.tensor.zero_point, value.storage) for value in (*action.reads, action.writes)]
    text = repr(facts)
    for layout, name in _NAMES_IN_DIGESTS.items():
        text = text.replace(f"layout='{layout}'", f"layout='{name}'")
    return hashlib.sha256(text.encode()).hexdigest()[:16]
