# SPDX-License-Identifier: Apache-2.0
"""Images of the microTVM engine: compile within a RAM budget, build, and say what came out.

The budget is for the whole image. What the harness takes is known exactly only after linking, so the model first gets what is left after
an estimate; if the image turns out larger than allowed, the model is compiled again with so much less.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cm4tiny.benchmarks import Benchmark
from cm4tiny.boards.boards import BoardDescription, default_board
from cm4tiny.errors import RamBudgetError, UsageError
from cm4tiny.events import EventStream
from cm4tiny.firmware.build import FirmwareImage, build_firmware
from cm4tiny.firmware.toolchain import Toolchain

if TYPE_CHECKING:
    from cm4tiny.firmware.microtvm import CompiledModel

CODE_BYTES = 128 * 1024
"""Flash for everything but the model's constants: ample."""

_HARNESS_BYTES = 2 * 1024  # state of the protocol, roughly; the input as sent and as int8 comes on top
_ATTEMPTS = 3
_SIZE = re.compile(r"(\d{1,9})\s*(|[kK]i?[bB]?)")


class MicrotvmSpec(Protocol):
    """The fields of a build specification that matter here."""

    @property
    def mode(self) -> str: ...
    @property
    def ram_budget(self) -> int | None: ...
    @property
    def skip_zero(self) -> bool: ...
    @property
    def prune_channels(self) -> bool: ...
    @property
    def costs(self) -> str: ...


@dataclass(frozen=True)
class MicrotvmImage:
    """An image and the compiled model in it; ``budget`` is what was allowed, stack included."""

    image: FirmwareImage
    model: CompiledModel
    budget: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """For the record of the build."""
        return {
            "division": self.model.division,
            **({"division_reason": self.model.division_reason} if self.model.division_reason else {}),
            "options": dict(self.options),
        }


def parse_ram_budget(text: str, board: BoardDescription | None = None) -> int | None:
    """Bytes from ``"131072"`` or ``"128K"`` (times 1024); None for ``"all"`` and an empty text.

    Raises:
        UsageError: it is neither, or more than the chip has.
    """
    if text.strip() in ("", "all"):
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not a size of memory", hint="give bytes, or kilobytes as in 128K")
    size = int(match[1]) * (1024 if match[2] else 1)
    most = (board or default_board()).chip.ram.size
    if not 0 < size <= most:
        raise UsageError(f"a RAM budget of {size} bytes is not possible", why=f"the chip has {most} bytes", hint="give less")
    return size


def harness_ram(benchmark: Benchmark, board: BoardDescription | None = None) -> int:
    """Bytes of RAM that an image needs besides the model, roughly: the protocol's buffers, the input, the stack."""
    return _HARNESS_BYTES + 2 * benchmark.input_bytes + (board or default_board()).stack_bytes


def build_microtvm(
    spec: MicrotvmSpec,
    benchmark: Benchmark,
    tflite: bytes,
    toolchain: Toolchain,
    folder: Path,
    events: EventStream,
    board: BoardDescription | None = None,
) -> MicrotvmImage:
    """Compiles a model and builds its image.

    Args:
        board: that the image is for; None: the default board.

    Raises:
        RamBudgetError: the image cannot be made within the budget; says by how much.
        FirmwareError: as the compiler and the build say.
    """
    from cm4tiny.firmware.microtvm import CompileOptions, compile_model, read_costs  # TVM takes seconds to import

    board = board or default_board()
    chip, stack = board.chip, board.stack_bytes
    budget = chip.ram.size if spec.ram_budget is None else spec.ram_budget
    costs = read_costs(Path(spec.costs)) if spec.costs else None

    def attempt(share: int) -> tuple[CompiledModel, FirmwareImage]:
        """With so many bytes for the model; raises RamBudgetError if they are too few."""
        options = CompileOptions(
            ram_budget=share, flash_budget=chip.flash.size - CODE_BYTES, skip_zero=spec.skip_zero, prune_channels=spec.prune_channels
        )
        model = compile_model(tflite, name=benchmark.model_id, options=options, costs=costs, events=events)
        built = build_firmware(benchmark, model, mode=spec.mode, toolchain=toolchain, out_dir=folder, board=board, events=events)
        return model, built

    reserve = harness_ram(benchmark, board)  # what the image needs besides the model: an estimate, until an image was linked
    for left in reversed(range(_ATTEMPTS)):
        least = 0
        try:
            model, image = attempt(max(0, budget - reserve))
        except RamBudgetError as error:  # of the model's least the image's size is known exactly: it may fit all the same
            least = error.needed
            model, image = attempt(least)
        measured = image.ram_bytes + stack - model.ram_bytes
        if measured + model.ram_bytes > budget:
            if least:
                raise _too_small(budget, model.ram_bytes, measured, stack)
            reserve = max(reserve + measured + model.ram_bytes - budget, measured)
        elif left and least and budget - measured > least:
            reserve = measured  # less than was estimated: a faster plan may fit
        else:
            chosen = {"ram_budget": budget, "skip_zero": spec.skip_zero, "drop_dead": spec.prune_channels, "tuned": bool(spec.costs)}
            return MicrotvmImage(image, model, budget, chosen)
    raise _too_small(budget, model.ram_bytes, measured, stack)


def _too_small(budget: int, model_bytes: int, reserve: int, stack: int) -> RamBudgetError:
    needed = model_bytes + reserve
    return RamBudgetError(
        f"a RAM budget of {budget} bytes is too small: the image needs {needed}",
        why=f"the model takes {model_bytes} bytes at least, the harness {reserve - stack}, the stack {stack}",
        hint=f"allow {needed} bytes (--ram_budget={needed}), or use a model with smaller activations",
        needed=needed,
    )
