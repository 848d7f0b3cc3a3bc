# SPDX-License-Identifier: Apache-2.0
"""``customize.py``: loading it, calling its functions, and turning what goes wrong into errors that say where.

A module is loaded once per process as long as its file does not change, so module-level state outlives a run (upstream executes the
file again each time).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from cm4tiny.errors import Cm4TinyError, ScriptFailedError
from cm4tiny.resolver.language.meta import Script

FILE = "customize.py"
_loaded: dict[tuple[str, int, int], ModuleType] = {}


@dataclass(frozen=True)
class Artifact:
    """What a script sees as ``i['artifact']``: the attributes of cmind's ``Artifact`` that scripts read."""

    path: str
    meta: Mapping[str, Any]
    repo_path: str
    repo_meta: Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a hook runs: for messages.

    Args:
        script: whose hook it is.
        chain: the scripts that need it, the nearest first.
        logs: folder for tracebacks.
    """

    script: Script
    chain: tuple[str, ...] = ()
    logs: Path | None = None

    def __str__(self) -> str:
        needed = " < ".join(f"'{name}'" for name in self.chain)
        return f"script '{self.script.alias}'" + (f" (needed by {needed})" if needed else "")


def load(script: Script, place: Place) -> ModuleType | None:
    """The script's ``customize.py``, or None if it has none.

    Raises:
        ScriptFailedError: the file cannot be imported.
    """
    file = script.path / FILE
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    key = (str(file), status.st_mtime_ns, status.st_size)
    if key not in _loaded:
        name = f"cm4tiny_script_{script.uid or script.path.name}"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ScriptFailedError(f"cannot load {file}", hint="it must be a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(script.path))
        try:
            _guarded(lambda: spec.loader.exec_module(module), place, "import")  # type: ignore[union-attr]
        finally:
            sys.path.remove(str(script.path))
        _loaded[key] = module
    return _loaded[key]


def call(module: ModuleType | None, function: str, i: dict[str, Any], place: Place) -> dict[str, Any]:
    """Calls a hook and returns its dictionary; an empty one if the script has no such hook.

    Raises:
        ScriptFailedError: it raised, returned an error, or returned something that is not a dictionary.
    """
    hook = getattr(module, function, None)
    if hook is None:
        return {}
    result = _guarded(lambda: hook(i), place, function)
    if not isinstance(result, dict) or not isinstance(result.get("return"), int):
        raise ScriptFailedError(
            f"{place} failed in {function}",
            why=f"{function}() returned {result!r}",
            hint=f"end {function}() in {place.script.path / FILE} with: return {{'return': 0}}",
        )
    if result["return"] > 0:
        what, why, hint = _parts(str(result.get("error", "")))
        failed = ScriptFailedError(f"{place} failed in {function}: {what or 'no reason given'}", why=why, hint=hint)
        failed.cm_code, failed.returned_kind = result["return"], str(result.get("error_kind") or "")
        raise failed
    return result


def _parts(text: str) -> tuple[str, str, str]:
    """what, why and hint of a text that ``str(Cm4TinyError)`` made; any other text is all 'what'."""
    what, marker_hint, hint = text.partition("\n  hint: ")
    what, _, why = what.partition("\n  why: ")
    return what.strip(), why.strip(), hint.strip() if marker_hint else ""


def _guarded(function: Callable[[], Any], place: Place, doing: str) -> Any:
    try:
        return function()
    except (ScriptFailedError, KeyboardInterrupt):
        raise
    except Cm4TinyError as error:
        failed = ScriptFailedError(f"{place} failed in {doing}: {error.what}", why=error.why, hint=error.hint)
        failed.cm_code, failed.returned_kind = error.cm_code, error.kind
        raise failed from error
    except (Exception, SystemExit) as error:
        log = write_log(place)
        raise ScriptFailedError(
            f"{place} failed in {doing}: {type(error).__name__}: {error}",
            why=_where(error, place.script.path),
            hint=f"the traceback is in {log}" if log else "run it again with -v to see the traceback",
        ) from error


def _where(error: BaseException, folder: Path) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(str(folder))] or frames
    last = own[-1]
    return f"{last.filename}, line {last.lineno}: {last.line}"


def write_log(place: Place) -> Path | None:
    """Writes the traceback of the exception being handled to a file and returns its path."""
    if place.logs is None:
        return None
    file = place.logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{place.script.alias}.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:
        return None
    return file
