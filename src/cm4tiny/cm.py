# SPDX-License-Identifier: Apache-2.0
"""The edge between CM's scripts and the package: one decorator for ``customize.py``.

A customize function reads env, calls one public function, writes env. :func:`step` gives it a small typed view of CM's dictionary
(:meth:`Step.options` makes a frozen dataclass from it), shows its progress and turns errors into CM's ``{'return': n, 'error': text}``, so
that a script behaves the same under this project's engine and under upstream's.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from cm4tiny.console import watch
from cm4tiny.disk import disk_full, is_full
from cm4tiny.errors import Cm4TinyError, UsageError
from cm4tiny.events import EventStream
from cm4tiny.network import offline_as
from cm4tiny.paths import expanded
from cm4tiny.settings import is_on, parse_jobs

T = TypeVar("T")


def from_env(key: str) -> Any:
    """A field of an options class that :meth:`Step.options` reads from a key of the env.

    Its type decides how: ``str``, ``bool``, ``int | None`` (a number of jobs), ``Path | None`` (absolute), ``tuple[Path, ...]`` and
    ``tuple[str, ...]`` (separated by commas). What the key means and takes stands in ``cm-repo/inputs.yaml``.
    """
    return field(metadata={"key": key})


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

    def need(self, key: str, hint: str) -> str:
        """The value of an env key that must be set.

        Raises:
            UsageError: it is missing or empty.
        """
        value = str(self.env.get(key, "")).strip()
        if not value:
            raise UsageError(f"{key} is not set", hint=hint)
        return value

    def path(self, key: str) -> str:
        """A path that the user gave, absolute and with ``~`` expanded; empty if none was given.

        Relative ones count from where ``cm`` was called.
        """
        value = expanded(str(self.env.get(key, "")).strip())
        return str(self.here / value) if value else ""

    @property
    def here(self) -> Path:
        """Where ``cm`` was called."""
        return Path(self.env.get("CM_TMP_CURRENT_PATH") or self.folder)

    def text(self, key: str) -> str:
        """The value of an env key without blanks around it; empty if there is none."""
        return str(self.env.get(key, "")).strip()

    def paths(self, key: str) -> tuple[Path, ...]:
        """The paths of a list with commas; see :meth:`path`."""
        return tuple(self.here / expanded(part.strip()) for part in self.text(key).split(",") if part.strip())

    def options(self, cls: type[T]) -> T:
        """An options class from the env: a dataclass whose fields are :func:`from_env`.

        Raises:
            UsageError: a value has the wrong form.
        """
        types = get_type_hints(cls)
        return cls(**{given.name: _READERS[str(types[given.name])](self, given.metadata["key"]) for given in fields(cls)})  # type: ignore[arg-type]


_READERS: dict[str, Callable[[Step, str], Any]] = {
    str(str): Step.text,
    str(bool): lambda step, key: is_on(step.env.get(key)),
    str(int | None): lambda step, key: parse_jobs(step.env.get(key), 0) or None,
    str(Path | None): lambda step, key: Path(step.path(key)) if step.path(key) else None,
    str(tuple[Path, ...]): Step.paths,
    str(tuple[str, ...]): lambda step, key: tuple(part.strip() for part in step.text(key).split(",") if part.strip()),
}


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
        hint="free disk space, check the permissions, or choose another directory (--outdirname=DIR, CM_REPOS, CM_TINY_CACHE)",
    )
