# SPDX-License-Identifier: Apache-2.0
"""The step ``get,microtvm``: makes sure that the pinned TVM is installed."""

from __future__ import annotations

from dataclasses import dataclass

from cm4tiny.cm import Outputs, Step
from cm4tiny.firmware.tvm_package import installed_tvm


@dataclass(frozen=True, kw_only=True)
class MicrotvmOptions:
    """The step is asked for nothing."""


def get_microtvm(options: MicrotvmOptions, step: Step) -> Outputs:
    """The installed version.

    Raises:
        Cm4TinyError: as :func:`cm4tiny.firmware.tvm_package.installed_tvm`.
    """
    return {"CM_MICROTVM_VARIANT": "cm4tiny", "CM_MICROTVM_VERSION": installed_tvm()}
