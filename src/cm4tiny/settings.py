# SPDX-License-Identifier: Apache-2.0
"""What the text of a flag or of an environment variable means: on or off, how many jobs, which output folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import UsageError
from cm4tiny.paths import expanded

YES = frozenset({"yes", "true", "on", "1"})
NO = frozenset({"", "no", "false", "off", "0"})
JOBS_LIMIT = 1024
JOBS = (1, JOBS_LIMIT)
"""The smallest and the largest ``--jobs``."""


def is_on(value: Any, *, other: bool = False) -> bool:
    """Whether a value switches something on: ``True`` or one of :data:`YES`, in any case, with blanks around it.

    Args:
        value: of a flag (True: given without a value) or of an environment key; None counts as empty.
        other: the answer for a word that is neither in :data:`YES` nor in :data:`NO`. True where a typo must not switch a protection off.
    """
    word = "" if value is None else str(value).strip().lower()
    return word in YES or (other and word not in NO)


def parse_switch(flag: str, value: Any) -> bool:
    """As :func:`is_on`, for a flag whose typos are refused.

    Raises:
        UsageError: the value is neither a yes nor a no.
    """
    if str(value).strip().lower() not in YES | NO:
        raise UsageError(f"--{flag}={value} is neither yes nor no", hint="give it without a value, or leave it out")
    return is_on(value)


def sanitizing() -> bool:
    """Whether the virtual board's C core has sanitizers (``CM_TINY_SANITIZE``): their reports open files, their shadow memory is large."""
    return is_on(os.environ.get("CM_TINY_SANITIZE"))


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parse_count(flag: str, value: Any, lowest: int = 1, highest: int = 1 << 31, *, what: str = "a number") -> int | None:
    """The whole number that a flag was given; None if it was not.

    Args:
        flag: its name, without dashes.
        value: of the flag or its environment key; empty or None for none.
        what: it is, for the message.

    Raises:
        UsageError: it is not a whole number of that range.
    """
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and lowest <= int(text) <= highest):
        raise UsageError(f"--{flag}={text} is not {what}", hint=f"give a whole number from {lowest} to {highest}")
    return int(text)


def parse_jobs(value: Any, default: int | None = None) -> int:
    """How many things may run side by side: the value of ``--jobs``.

    Args:
        value: of the flag or its environment key; empty or None for none.
        default: where there is no value; None: one for each of :func:`cores`.

    Raises:
        UsageError: it is not a whole number from 1 to :data:`JOBS_LIMIT`.
    """
    given = parse_count("jobs", value, 1, JOBS_LIMIT, what="a number of jobs")
    return given if given is not None else cores() if default is None else default


def output_folder(env: Mapping[str, Any], default: str, key: str = "CM_TINY_OUTDIR") -> Path:
    """Where a step writes its results, absolute.

    CM changes into ``--outdirname`` for the script that it was given to (``CM_OUTDIRNAME``) and for none below it: there the results go
    into the current folder. Else into the folder that the environment names by ``key``, else into ``default``; relative ones count from
    where ``cm`` was called.
    """
    if env.get("CM_OUTDIRNAME"):
        return Path.cwd()
    return Path(env.get("CM_TMP_CURRENT_PATH") or Path.cwd(), expanded(str(env.get(key) or "").strip() or default)).absolute()
