# SPDX-License-Identifier: Apache-2.0
"""Finds or installs a C compiler for the Cortex-M4."""

from cm4tiny import cm
from cm4tiny.firmware.toolchain import find_toolchain


@cm.step
def preprocess(step):
    toolchain = find_toolchain(step.env["CM_TINY_TOOLCHAIN"], events=step.events)
    step.env["CM_TINY_TOOLCHAIN_KIND"] = toolchain.kind
    step.env["CM_TINY_TOOLCHAIN_VERSION"] = toolchain.version
    step.env["CM_TINY_TOOLCHAIN_FINGERPRINT"] = toolchain.fingerprint
