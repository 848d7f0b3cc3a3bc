# SPDX-License-Identifier: Apache-2.0
"""``cm add script``: the files of a new script, ready to run."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.errors import UsageError
from cm4tiny.resolver.catalogue.repository import SCRIPT_AUTOMATION, ScriptStore

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_CUSTOMIZE = '''"""Hooks of the script {alias}."""


def preprocess(i):
    """Before run.sh: i["env"] and i["state"] are what the script gets, and may be changed."""
    return {{"return": 0}}


def postprocess(i):
    """After run.sh: what new_env_keys names goes to the caller."""
    i["env"]["{key}"] = "done"
    return {{"return": 0}}
'''

_RUN_SH = """#!/bin/bash

echo "{alias} runs in ${{PWD}}"
"""

_RUN_BAT = """@echo off

echo {alias} runs in %CD%
"""

_README = """# {alias}

What this script is for, and what it needs.

```bash
cm run script --tags={tags}
```
"""


@dataclass(frozen=True)
class NewScript:
    """What was made: the folder, the meta, and alias and uid of the repository."""

    path: Path
    meta: dict[str, Any]
    repository: tuple[str, str]


def new_script(
    store: ScriptStore, place: tuple[Path, tuple[str, str]], alias: str, *, uid: str = "", tags: list[str],
    extra: Mapping[str, Any] | None = None, native: Path | None = None, as_json: bool = False,
) -> NewScript:  # fmt: skip
    """Writes a new script.

    Args:
        store: the scripts that exist.
        place: the folder with ``script/``, and alias and uid of its repository.
        alias: the new name.
        uid: 16 hexadecimal digits; made if empty.
        tags: no other script may have all of them.
        extra: more keys of the meta.
        native: a native script to copy instead of the example.
        as_json: write ``_cm.json`` instead of ``_cm.yaml``.

    Raises:
        UsageError: the alias, uid or tags are missing, malformed or taken.
    """
    root, repository = place
    if not _ALIAS.fullmatch(alias):
        what = f"'{alias}' cannot be the alias of a script" if alias else "the new script has no alias"
        raise UsageError(what, why="it becomes the name of a folder", hint="for example:\ncm add script my-step --tags=my,step")
    bad = [tag for tag in tags if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", tag)]
    if not tags or bad:
        raise UsageError(f"'{','.join(tags)}' cannot be the tags of a script", hint="give tags of its own, e.g. --tags=my,step")
    folder = root / "script" / alias
    if folder.exists() or store.find(alias):
        raise UsageError(f"a script '{alias}' exists already", hint="choose another alias")
    same = [script.alias for script in store.scripts if set(tags) <= script.tags]
    if same:
        raise UsageError(f"script '{same[0]}' has the tags '{','.join(tags)}' as well", hint="add a tag that only the new script has")
    if uid and not re.fullmatch(r"[0-9a-f]{16}", uid):
        raise UsageError(f"'{uid}' cannot be a uid", why="it must be 16 hexadecimal digits", hint="leave it out")
    if native is not None and not native.is_file():
        raise UsageError(f"file {native} not found", hint="give the path of a native script")
    key = re.sub(r"[^A-Z0-9]", "_", f"CM_{alias}".upper())
    meta: dict[str, Any] = {
        "alias": alias, "uid": uid or os.urandom(8).hex(), "automation_alias": SCRIPT_AUTOMATION[0],
        "automation_uid": SCRIPT_AUTOMATION[1], "cache": False, "tags": tags, "new_env_keys": [key],
        **({"script_name": native.stem} if native is not None else {}), **(extra or {}),
    }  # fmt: skip
    texts = {"alias": alias, "key": key, "tags": ",".join(tags)}
    folder.mkdir(parents=True)
    if as_json:
        (folder / "_cm.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    else:
        (folder / "_cm.yaml").write_text(_yaml(meta), encoding="utf-8")
    (folder / "customize.py").write_text(_CUSTOMIZE.format(**texts), encoding="utf-8")
    (folder / "README-extra.md").write_text(_README.format(**texts), encoding="utf-8")
    if native is None:
        (folder / "run.sh").write_text(_RUN_SH.format(**texts), encoding="utf-8")
        (folder / "run.bat").write_text(_RUN_BAT.format(**texts), encoding="utf-8")
    else:
        shutil.copy(native, folder / native.name)
    return NewScript(folder, meta, repository)


def _yaml(meta: Mapping[str, Any]) -> str:
    """The meta as YAML; uids stand between quotes, because 16 digits may be a number."""
    import yaml

    text = yaml.safe_dump(dict(meta), sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    return re.sub(r"^((?:automation_)?uid): '?([0-9a-f]{16})'?$", r'\1: "\2"', text, flags=re.MULTILINE)
