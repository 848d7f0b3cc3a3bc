# SPDX-License-Identifier: Apache-2.0
"""This project's steps as a repository of MLCFlow, CM's successor; ``python -m cm4tiny.mlcflow`` registers it.

The metas of the CM repository are the source; the other repository is made from them when a wheel is built, and in a checkout when it is
registered. MLCFlow's metas and hooks are CM's, but the engine's keys begin with ``MLC_``. Only a whole prefix is renamed: ``CM_PATH`` is a
key of the engine, ``CMSIS_PATH`` and ``MY_CM_PATH`` are not. Hooks stay written for CM; :func:`cm4tiny.cm.mlc_hooks` adapts them.

This module is also loaded by the build hook, where nothing but the standard library is installed, so it imports nothing else at its top.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

CM, MLC = "CM_", "MLC_"
HOOKS = {"check_inputs": "predeps", "preprocess": "preprocess", "postprocess": "postprocess", "detect_version": "detect_version"}
"""A hook of CM's (the first one: of this project's engine) and the hook of MLCFlow's that runs at the same moment."""

_NAME = re.compile(rf"(?<![A-Za-z0-9_]){CM}(?=[A-Z])")
_NOTE = "# Made from {source} of the CM repository by cm4tiny.mlcflow; change that one.\n"
_SHIM = '''# SPDX-License-Identifier: Apache-2.0
"""Hooks of {alias}, which are written for CM, under MLCFlow; made by cm4tiny.mlcflow."""

from cm4tiny import cm

_hooks = cm.mlc_hooks("{alias}")
{lines}
'''


def renamed(text: str) -> str:
    """A meta's text with the engine's keys under MLCFlow's names."""
    return _NAME.sub(MLC, text)


def to_cm(env: Mapping[str, T]) -> dict[str, T]:
    """The environment of an MLCFlow hook under CM's names; where both names are set, MLCFlow's counts."""
    found = dict(env)
    found.update({CM + key.removeprefix(MLC): value for key, value in env.items() if key.startswith(MLC)})
    return {key: value for key, value in found.items() if not key.startswith(MLC)}


def to_mlc(key: str) -> str:
    """MLCFlow's name of a key of CM's environment."""
    return MLC + key.removeprefix(CM) if key.startswith(CM) else key


def hooks_in(customize: Path) -> list[str]:
    """The hooks of CM that a ``customize.py`` has at its top level, by assignment or definition."""
    names: set[str] = set()
    for node in ast.parse(customize.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return [name for name in HOOKS if name in names]


def files(cm_repository: Path) -> Iterator[tuple[str, str]]:
    """Every file of the MLC repository: its path inside, and its text."""
    source = cm_repository / "cmr.yaml"
    yield "meta.yaml", _with_note(source.read_text(encoding="utf-8"), source.name)
    for meta in sorted((cm_repository / "script").glob("*/_cm.yaml")):
        alias = meta.parent.name
        yield f"script/{alias}/meta.yaml", _with_note(renamed(meta.read_text(encoding="utf-8")), meta.name)
        hooks = [HOOKS[name] for name in hooks_in(meta.with_name("customize.py"))]
        lines = "\n".join(f'{name} = _hooks["{name}"]' for name in hooks)
        yield f"script/{alias}/customize.py", _SHIM.format(alias=alias, lines=lines)


def _with_note(text: str, source: str) -> str:
    first, rest = text.split("\n", 1)
    return f"{first}\n{_NOTE.format(source=source)}{rest}"


def write(cm_repository: Path, target: Path) -> None:
    """Writes the MLC repository into a folder of its own, in place of an older one."""
    shutil.rmtree(target, ignore_errors=True)
    for name, text in files(cm_repository):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def repository() -> Path:
    """The MLC repository: of the installed wheel, or written from the checkout."""
    from cm4tiny.paths import PACKAGE, cm_repo, user_cache

    shipped = PACKAGE / "mlc"
    if shipped.is_dir():
        return shipped
    made = user_cache() / "mlc"
    write(cm_repo(), made)
    return made


def registered(repos: Path) -> list[str]:
    """The repositories that MLCFlow knows: ``repos.json`` of its folder of repositories; none if it cannot be read."""
    try:
        known = json.loads((repos / "repos.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [str(path) for path in known] if isinstance(known, list) else []


def main() -> int:
    """Registers the repository with the MLCFlow of this Python; returns the exit status."""
    from importlib.util import find_spec

    from cm4tiny.errors import Cm4TinyError, NotAvailableError

    try:
        if find_spec("mlc") is None:
            raise NotAvailableError(
                "MLCFlow is not installed for this Python",
                why=f"{sys.executable} finds no package mlc",
                hint="install it in the same environment:\npip install mlcflow",
            )
        place = repository()
    except Cm4TinyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    repos = Path(os.environ.get("MLC_REPOS", "").strip() or Path.home() / "MLC" / "repos")
    if str(place) in registered(repos):
        print(f"{place} is registered in {repos}")
        return 0
    # MLCFlow's package has no usable ``python -m``, and its command need not be on PATH.
    start = [sys.executable, "-c", "import sys; from mlc.main import main; sys.exit(main())"]
    return subprocess.run([*start, "add", "repo", str(place)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
