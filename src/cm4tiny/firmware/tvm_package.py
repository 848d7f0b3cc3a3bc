# SPDX-License-Identifier: Apache-2.0
"""The pinned TVM: its version decides the generated code, so no other is accepted."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from cm4tiny.errors import ToolchainError

PACKAGE = "apache-tvm"
PINNED = "0.27.0.post1"


def installed_tvm() -> str:
    """The installed version, which is the pinned one.

    Raises:
        ToolchainError: TVM is missing or another version.
    """
    hint = f"install it:\npip install '{PACKAGE}=={PINNED}'"
    try:
        found = version(PACKAGE)
    except PackageNotFoundError:
        raise ToolchainError(f"the Python package {PACKAGE} is not installed", hint=hint) from None
    if found != PINNED:
        raise ToolchainError(
            f"{PACKAGE} {found} is installed, {PINNED} is needed",
            why="generated code, and with it every figure, depends on TVM's version",
            hint=hint,
        )
    return found
