# SPDX-License-Identifier: Apache-2.0
"""Where the project's own files lie: inside an installed wheel, or in a checkout."""

from __future__ import annotations

import os
from pathlib import Path

from cm4tiny.errors import AssetError, UsageError

PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = PACKAGE.parent.parent


def _shipped(in_wheel: str, in_checkout: str) -> Path:
    for candidate in (PACKAGE / in_wheel, _CHECKOUT / in_checkout):
        if candidate.is_dir():
            return candidate
    raise AssetError(
        f"the project's folder '{in_checkout}' is missing",
        why=f"neither {PACKAGE / in_wheel} nor {_CHECKOUT / in_checkout} exists",
        hint="reinstall the package:\npip install --force-reinstall .",
    )


def firmware_sources() -> Path:
    """The C sources: ``harness/``, ``boards/``, ``engines/``."""
    return _shipped("firmware_sources", "firmware")


def cm_repo() -> Path:
    """The CM repository: ``automation/`` and ``script/``."""
    return _shipped("repo", "cm-repo")


def expanded(path: str) -> str:
    """The path with ``~`` and ``~user`` replaced by a home directory, as a shell does it; unchanged if the user does not exist."""
    return os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises for an unknown user


def user_cache() -> Path:
    """A folder for things that are made once per machine (``CM_TINY_CACHE``, else ``$XDG_CACHE_HOME/cm4tiny``).

    Raises:
        UsageError: none of them is set and the user has no home directory.
    """
    root = os.environ.get("CM_TINY_CACHE")
    try:
        if root:
            return Path(expanded(root))
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cm4tiny"
    except RuntimeError as error:
        raise UsageError(
            "there is no home directory for this project's cache",
            why=str(error),
            hint="set CM_TINY_CACHE to a directory that can be written",
        ) from error
