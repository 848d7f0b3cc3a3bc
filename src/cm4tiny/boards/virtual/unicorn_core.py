# SPDX-License-Identifier: Apache-2.0
"""Opens unicorn as a Cortex-M4, and proves it: one constructor for the product's Python code, the tests and the benchmarks.

``UC_MODE_MCLASS`` gives a Cortex-M33 whatever model is asked for (cpu.c of unicorn 2.1.4), and setting a model returns success
all the same. So the core is asked to run instructions that tell an M4 from its relatives. ``machine.c`` does the same for the C core.
"""

from __future__ import annotations

import importlib
from typing import Any

from cm4tiny.boards.virtual.cores import CORES
from cm4tiny.errors import BoardError

_HINT = "install the version that this project was tested with:\npip install unicorn==2.1.4"
_SCRATCH = 0x2000_0000
_SCRATCH_BYTES = 0x1000

PROBES: tuple[tuple[str, bytes, bool], ...] = CORES["cortex-m4", "fpv4-sp-d16"].probes
"""An instruction, and whether a Cortex-M4 has it. ``machine.c`` has the same."""


def open_core(*, page_bytes: int | None = None, check: bool = True) -> Any:
    """A fresh ``unicorn.Uc`` that is a Cortex-M4.

    Args:
        page_bytes: size of its translation pages; unicorn's own default otherwise.

    Raises:
        BoardError: unicorn opened another core.
    """
    unicorn: Any = importlib.import_module("unicorn")
    arm: Any = importlib.import_module("unicorn.arm_const")
    engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    if page_bytes is not None:
        engine.ctl_set_page_size(page_bytes)
    engine.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
    if engine.ctl_get_cpu_model() != arm.UC_CPU_ARM_CORTEX_M4:
        raise wrong_core(f"its model is number {engine.ctl_get_cpu_model()}")
    if check:
        check_core(page_bytes=page_bytes)
    return engine


_checked = False


def check_core(*, page_bytes: int | None = None) -> None:
    """Raises unless :func:`open_core` gives a Cortex-M4: once a process, on an engine of its own."""
    global _checked
    if _checked:
        return
    for name, code, expected in PROBES:
        engine = open_core(page_bytes=page_bytes, check=False)
        if runs(engine, code) != expected:
            raise wrong_core(f"it {'does not run' if expected else 'runs'} the instruction {name}")
    _checked = True


def runs(engine: Any, code: bytes) -> bool:
    """Whether a fresh engine executes one instruction; it needs no FPU that is on."""
    unicorn: Any = importlib.import_module("unicorn")
    arm: Any = importlib.import_module("unicorn.arm_const")
    engine.mem_map(_SCRATCH, _SCRATCH_BYTES)
    engine.mem_write(_SCRATCH, code)
    engine.reg_write(arm.UC_ARM_REG_R1, _SCRATCH + 0x100)
    try:
        engine.emu_start(_SCRATCH | 1, _SCRATCH + len(code), count=1)
    except unicorn.UcError:
        return False
    return True


def wrong_core(why: str) -> BoardError:
    """The error for a unicorn that opened another core."""
    return BoardError("unicorn did not open a Cortex-M4", why=why, hint=_HINT)
