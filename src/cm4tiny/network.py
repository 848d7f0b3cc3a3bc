# SPDX-License-Identifier: Apache-2.0
"""Whether the network may be used. Every place that uses it asks here first; ``CM_TINY_OFFLINE`` forbids it altogether.

Inside a step the key of CM's env counts as well (``--offline``, ``--env.CM_TINY_OFFLINE=yes``): :func:`cm4tiny.cm.step` hands it over.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from cm4tiny.errors import Cm4TinyError
from cm4tiny.settings import is_on

OFFLINE_VARIABLE = "CM_TINY_OFFLINE"
"""Set to anything but ``no``, ``off``, ``false`` or ``0``: the network is never used."""

FORBIDDEN = f"the network must not be used ({OFFLINE_VARIABLE})"


def is_offline(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the user forbade the network."""
    return is_on(environ.get(OFFLINE_VARIABLE), other=True)


def require_network(what: str, error: type[Cm4TinyError], hint: str) -> None:
    """Raises ``error`` if the network is forbidden.

    Args:
        what: what cannot be done, one sentence.
        error: the class of the caller's errors.
        hint: how it works without a network.
    """
    if is_offline():
        raise error(what, why=FORBIDDEN, hint=f"unset {OFFLINE_VARIABLE}, or {hint}")


def pip_options(what: str, error: type[Cm4TinyError]) -> list[str]:
    """Options for ``pip install`` and ``pip download``: with the network forbidden only folders of ``PIP_FIND_LINKS`` are searched.

    Raises:
        Cm4TinyError: of the class ``error``, if the network is forbidden and the folder does not exist.
    """
    if not os.environ.get("PIP_FIND_LINKS"):
        require_network(what, error, "give pip a folder with the packages by PIP_FIND_LINKS")
    return ["--no-index"] if is_offline() else []


@contextlib.contextmanager
def offline_as(env: Mapping[str, str]) -> Iterator[None]:
    """Within the block the process is offline if ``env`` says so."""
    if not is_offline(env) or is_offline():
        yield
        return
    before = os.environ.get(OFFLINE_VARIABLE)
    os.environ[OFFLINE_VARIABLE] = "yes"
    try:
        yield
    finally:
        if before is None:
            del os.environ[OFFLINE_VARIABLE]
        else:
            os.environ[OFFLINE_VARIABLE] = before
