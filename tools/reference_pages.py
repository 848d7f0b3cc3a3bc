# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference: scripts.md from the steps' metas, command-line.md from the verbs, operators.md from the registry of operators.

``python tools/reference_pages.py``
"""

from __future__ import annotations

from pathlib import Path

import click

from cm4tiny.cli.group import VERBS, cli
from cm4tiny.firmware.operators.base import UPSTREAM
from cm4tiny.firmware.operators.registry import operators
from cm4tiny.resolver.catalogue.reference import whole_page
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
WIDTH = 100
VERBS_HEAD = """# Verbs of the command line

What `cm4tiny VERB --help` shows; [The command line](../command-line.md) explains it. The page is written by
`python tools/reference_pages.py`.
"""


OPERATORS_HEAD = """# Operators of the microTVM engine

What an int8 `.tflite` may hold; [the microTVM engine](../microtvm-engine.md) explains how it becomes C. A model with anything else is
refused before it is compiled, and the message names all that stands in its way. The page is written by
`python tools/reference_pages.py`.

Answers are those of the named functions, bit for bit: TensorFlow Lite for Microcontrollers at the commit that the links have, which
TensorFlow Lite's reference kernels (`BUILTIN_REF`) share, but for SUM and LSTM, where tflite-runtime has another arithmetic. Integers
are requantised with two roundings. Fused activations are RELU, RELU6 and RELU_N1_TO_1.

| operator | forms | computed by | arithmetic | file |
|---|---|---|---|---|
"""
OPERATORS_TAIL = """
## Edges

The image takes and returns int8, whatever the file has at its edges, so that the bytes of the protocol and `cm4tiny_model_run()` are the
same for all models. The image's int8 value `q` for an input or output of the file:

- int8: the same.
- uint8 `u` with the zero point `z`: `q = u - 128`, with the same scale and the zero point `z - 128`. A QUANTIZE that only shifts by 128
  costs nothing.
- float32 `r` in front of QUANTIZE or behind DEQUANTIZE: `q = round(r / scale) + zero point`, halves away from zero, clamped; scale and
  zero point are those of the int8 tensor. The operator is left out.
- an int32 output of ARG_MAX or ARG_MIN: `q = index - 128`, with the scale 1 and the zero point -128.

Several inputs are one array for the image, one after the other in the file's order, and so are several outputs.

The generated `model.h` has the scales and zero points of the int8 tensors, of the first where there are several.

## What is kept from inference to inference

Variables (VAR_HANDLE and its kin) keep their values in RAM. They begin with the values that the file gives them and go on with each call of
`cm4tiny_model_run()`, warm-up included: such a model answers about a stream. So do the memories of SVDF and LSTM, which begin with zero.
"""


def _upstream(reference: str) -> str:
    """ "path:line function" as a link."""
    place, name = reference.split(" ")
    path, line = place.split(":")
    repository, commit = UPSTREAM.split("@")
    return f"[{path.rpartition('/')[2]}, {name}](https://github.com/{repository}/blob/{commit}/tensorflow/lite/{path}#L{line})"


def operators_page() -> str:
    """The operators, from the registry."""
    rows = []
    for module, operator in operators().items():
        kinds, upstream = ", ".join(operator.kinds), ", ".join(map(_upstream, operator.references))
        rows.append(f"| {kinds} | {operator.forms} | {operator.kernels} | {upstream} | `cm4tiny.firmware.operators.{module}` |")
    return OPERATORS_HEAD + "\n".join(sorted(rows)) + "\n" + OPERATORS_TAIL


def help_of(name: str) -> str:
    """What ``cm4tiny NAME --help`` prints on a terminal of :data:`WIDTH` columns; an empty name: ``cm4tiny --help``."""
    above = click.Context(cli, info_name="cm4tiny", terminal_width=WIDTH, max_content_width=WIDTH)
    if not name:
        return cli.get_help(above)
    command = cli.get_command(above, name)
    assert command is not None
    return command.get_help(click.Context(command, info_name=name, parent=above, terminal_width=WIDTH, max_content_width=WIDTH))


def verbs_page() -> str:
    """The reference of the verbs."""
    parts = [VERBS_HEAD]
    for name in VERBS:
        parts.append(f"\n## {name}\n\n```text\n{help_of(name).rstrip()}\n```\n")
    return "".join(parts)


def main() -> None:
    """Writes the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "scripts.md").write_text(whole_page(ScriptStore(own_repositories()).scripts), encoding="utf-8")
    (FOLDER / "command-line.md").write_text(verbs_page(), encoding="utf-8")
    (FOLDER / "operators.md").write_text(operators_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
