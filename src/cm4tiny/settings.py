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


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parse_jobs(value: Any, default: int | None = None) -> int:
    """How many things may run side by side: the value of ``--jobs``.

    Args:
        value: of the flag or its environment key; empty or None for none.
        default: where there is no value; None: one for each of :func:`cores`.

    Raises:
        UsageError: it is not a whole number from 1 to :data:`JOBS_LIMIT`.
    """
    text = "" if value is None else str(value).strip()
    if not text:
        return cores() if default is None else default
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= JOBS_LIMIT):
        raise UsageError(f"--jobs={text} is not a number of jobs", hint=f"give a whole number from 1 to {JOBS_LIMIT}")
    return int(text)


def output_folder(env: Mapping[str, Any], default: str) -> Path:
    """Where a step writes its results, absolute.

    CM changes into ``--outdirname`` for the script that it was given to (``CM_OUTDIRNAME``) and for none below it: there the results go
    into the current folder. Else into ``--outdir`` (``CM_TINY_OUTDIR``), else into the folder ``default``; relative ones count from where
    ``cm`` was called.
    """
    if env.get("CM_OUTDIRNAME"):
        return Path.cwd()
    return Path(env.get("CM_TMP_CURRENT_PATH") or Path.cwd(), expanded(str(env.get("CM_TINY_OUTDIR") or "").strip() or default)).absolute()
