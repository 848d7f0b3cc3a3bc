"""The edge between CM's scripts and the package: one decorator for ``customize.py``.

A customize function reads env, calls one public function, writes env. :func:`step` gives it a small typed view of CM's dictionary, shows
its progress and turns errors into CM's ``{'return': n, 'error': text}``, so that a script behaves the same under this project's engine and
under upstream's.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cm4tiny.console import watch
from cm4tiny.disk import disk_full, is_full
from cm4tiny.errors import Cm4TinyError, UsageError
from cm4tiny.events import EventStream
from cm4tiny.network import offline_as
from cm4tiny.paths import expanded


@dataclass(frozen=True)
class Step:
    """What a customize function sees: the env (to read and write), an event stream, the folder the script runs in.

    ``sources`` is for what it fetches: ``{"url": ..., "sha256": ...}`` (or ``commit``), ``digests`` (sha256 by name) for files that it uses
    outside CM's cache; a lock file holds both.
    """

    env: dict[str, str]
    events: EventStream
    folder: Path
    sources: list[dict[str, str]] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    def need(self, key: str, cure: str) -> str:
        """The value of an env key that must be set.

        Raises:
            UsageError: it is missing or empty.
        """
        value = str(self.env.get(key, "")).strip()
        if not value:
            raise UsageError(f"{key} is not set", cure=cure)
        return value

    def path(self, key: str) -> str:
        """A path that the user gave, absolute and with ``~`` expanded; empty if none was given.

        Relative ones count from where ``cm`` was called.
        """
        value = expanded(str(self.env.get(key, "")).strip())
        return str(Path(self.env.get("CM_TMP_CURRENT_PATH") or self.folder) / value) if value else ""


def step(function: Callable[[Step], None]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Makes ``preprocess(i)`` / ``postprocess(i)`` of CM from a function of a :class:`Step`."""

    @functools.wraps(function)
    def cm_function(i: dict[str, Any]) -> dict[str, Any]:
        try:
            with watch() as events, offline_as(i["env"]):
                seen = Step(i["env"], events, Path.cwd())
                function(seen)
        except Cm4TinyError as error:
            return error.as_cm()
        except OSError as error:
            return _operating_system(error).as_cm()
        told = {"sources": seen.sources, "digests": seen.digests}
        return {"return": 0, **{key: value for key, value in told.items() if value}}

    return cm_function


def _operating_system(error: OSError) -> Cm4TinyError:
    if is_full(error):
        return disk_full(
            "the step", error.strerror or str(error), *([Path(error.filename)] if isinstance(error.filename, str) else [Path.cwd()])
        )
    place = error.filename or os.getcwd()  # noqa: PTH109 - a Path would hide a deleted directory's error
    return Cm4TinyError(
        f"the operating system refused access to {place}",
        why=error.strerror or str(error),
        cure="free disk space, check the permissions, or choose another directory (--outdirname=DIR, CM_REPOS, CM_TINY_CACHE)",
    )
