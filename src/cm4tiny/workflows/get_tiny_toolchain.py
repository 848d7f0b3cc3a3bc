# SPDX-License-Identifier: Apache-2.0
"""The step ``get,tiny,toolchain``: a C compiler for the Cortex-M4."""

from __future__ import annotations

from dataclasses import dataclass

from cm4tiny.cm import Outputs, Step, flag
from cm4tiny.firmware.toolchain import find_toolchain


@dataclass(frozen=True, kw_only=True)
class ToolchainOptions:
    """What the step is asked for."""

    toolchain: str = flag("CM_TINY_TOOLCHAIN", default="auto")


def get_toolchain(options: ToolchainOptions, step: Step) -> Outputs:
    """Finds or installs it.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.firmware.toolchain.find_toolchain`.
    """
    toolchain = find_toolchain(options.toolchain, events=step.events)
    return {
        "CM_TINY_TOOLCHAIN_KIND": toolchain.kind,
        "CM_TINY_TOOLCHAIN_VERSION": toolchain.version,
        "CM_TINY_TOOLCHAIN_FINGERPRINT": toolchain.fingerprint,
    }
