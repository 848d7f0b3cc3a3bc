# SPDX-License-Identifier: Apache-2.0
"""Finds or installs a C compiler for the Cortex-M4."""

from cm4tiny import cm
from cm4tiny.workflows.get_tiny_toolchain import ToolchainOptions, get_toolchain

preprocess = cm.step(ToolchainOptions, get_toolchain)
