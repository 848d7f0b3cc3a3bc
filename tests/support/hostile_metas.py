# SPDX-License-Identifier: Apache-2.0
"""Metas that somebody wrote to stop an engine: small files that stand for much, and files that are none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

HEAD = 'alias: bad\nuid: "0123456789abcdef"\nautomation_alias: script\nautomation_uid: "5b4e0237da074764"\ntags: [bad]\n'


def _laughs(joined: Callable[[str], str]) -> str:
    return HEAD + "a0: &a0 {k: [x, x, x, x, x, x, x, x, x]}\n" + "".join(f"a{i}: &a{i} {joined(f'*a{i - 1}')}\n" for i in range(1, 25))


YAML: dict[str, str] = {
    "billion laughs": _laughs(lambda name: "[" + ", ".join([name] * 9) + "]"),
    "merge keys that double": _laughs(lambda name: "{<<: [" + name + ", " + name + "]}"),
    "merge keys in a list": HEAD + "a: &a {" + ", ".join(f"k{i}: 1" for i in range(300)) + "}\nv:\n" + "  - {<<: *a}\n" * 20_000,
    "brackets without end": HEAD + "x: " + "[" * 100_000,
    "deep brackets": HEAD + "x: " + "[" * 900 + "]" * 900 + "\n",
    "a list in itself": HEAD + "x: &x [*x]\n",
    "a million keys": HEAD + "x:\n" + "".join(f"  k{i}: v\n" for i in range(1_000_000)),
    "many small values": HEAD + "x: [" + "1," * 400_000 + "1]\n",
    "a long number": HEAD + "x: " + "1" * 200_000 + "\n",
    "a long sexagesimal number": HEAD + "x: " + "1:" * 100_000 + "1\n",
    "a Python object": HEAD + "x: !!python/object/apply:os.system ['touch pwned']\n",
    "a date that does not exist": HEAD + "x: 2001-99-99\n",
    "a key that is a list": HEAD + "? [1, 2]\n: x\n",
    "null bytes": HEAD + "x: \0\n",
}
JSON: dict[str, str] = {
    "JSON brackets": '{"x": ' + "[" * 200_000,
    "deep JSON": '{"x": ' + "[" * 400 + "]" * 400 + "}",
    "many JSON numbers": '{"x": [' + "1," * 480_000 + "1]}",
    "a long JSON number": '{"x": ' + "1" * 900_000 + "}",
}


def lay(folder: Path, kind: str) -> None:
    """Makes the folder of a script with such a meta."""
    folder.mkdir(parents=True)
    yaml_file = folder / "_cm.yaml"
    if kind in YAML:
        yaml_file.write_text(YAML[kind], encoding="utf-8")
    elif kind in JSON:
        (folder / "_cm.json").write_text(JSON[kind], encoding="utf-8")
    elif kind == "a pipe":
        os.mkfifo(yaml_file)
    elif kind == "a device without end":
        yaml_file.symlink_to("/dev/zero")
    elif kind == "a link to itself":
        yaml_file.symlink_to(yaml_file)
    elif kind == "a folder":
        yaml_file.mkdir()
    elif kind == "placeholders that double":
        env = {**{f"E{i}": f"<<<E{i + 1}>>><<<E{i + 1}>>>" for i in range(40)}, "E40": "x"}
        identity = {"alias": "bad", "uid": "0123456789abcdef", "automation_alias": "script", "automation_uid": "5b4e0237da074764"}
        (folder / "_cm.json").write_text(json.dumps({**identity, "tags": ["bad"], "env": env}))
    else:
        raise ValueError(kind)


KINDS = (*YAML, *JSON, "a pipe", "a device without end", "a link to itself", "a folder", "placeholders that double")
HARMLESS = {"placeholders that double", "a link to itself"}
"""Kinds that need not be refused: the first is a meta that can be used, the second has no file."""
