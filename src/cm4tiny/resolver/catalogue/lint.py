# SPDX-License-Identifier: Apache-2.0
"""Checks a CM repository of this project: what a run would only find out later, or never.

Stricter than a run: the JSON Schema of our own metas, the house rules for a script's folder, and whether every dependency exists.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import Cm4TinyError, MetaError
from cm4tiny.resolver.catalogue.repository import Repository, ScriptStore
from cm4tiny.resolver.catalogue.selection import candidates
from cm4tiny.resolver.language import vocabulary
from cm4tiny.resolver.language.inputs import inputs_of
from cm4tiny.resolver.language.meta import Script, load_meta
from cm4tiny.resolver.language.query import ScriptQuery, has_variation
from cm4tiny.resolver.language.variations import choose

CUSTOMIZE_LINES = 40
#: The language, key by key; and what this project asks of its own scripts beyond it.
SCHEMA = Path(__file__).with_name("meta.schema.json")
HOUSE_SCHEMA = Path(__file__).with_name("house.schema.json")


def lint_repository(path: Path) -> list[str]:
    """All problems of the scripts below ``path / 'script'``, one line each; an empty list if there are none."""
    root = path / "script"
    problems: list[str] = []
    folders = sorted(folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith((".", "__")))
    store = ScriptStore([Repository(path, own=True)])
    scripts: list[Script] = []
    for folder in folders:
        try:
            script = Script(folder, load_meta(folder / "_cm.yaml"), own=True)
        except MetaError as error:
            problems.append(f"{folder.name}: {error.what}: {error.why}")
            continue
        scripts.append(script)
        problems += [f"{folder.name}: {text}" for text in _of_one(script)]
    problems += _duplicates(scripts)
    if len(scripts) == len(folders):
        problems += [f"{script.path.name}: {text}" for script in scripts for text in _missing_dependencies(store, script)]
    return problems


def lint_scripts_of(store: ScriptStore, scripts: list[Script], *, house_rules: bool = False) -> list[str]:
    """Problems of scripts of any repository: keys and shapes, variations, and dependencies that no script meets.

    Args:
        store: where dependencies are looked for.
        scripts: what to check.
        house_rules: hold them to the rules of this project as well.
    """
    problems = []
    for script in scripts:
        others = [vocabulary.problems(script.meta), _variations(script), _flags(script)]
        checks = [_of_one(script)] if house_rules or script.own else others
        problems += [f"{script.alias}: {text}" for check in checks for text in check]
        problems += [f"{script.alias}: {text}" for text in _missing_dependencies(store, script, several=not script.own)]
    return problems


def _of_one(script: Script) -> Iterator[str]:
    folder = script.path
    yield from against_schema(script.meta)
    yield from against_schema(script.meta, HOUSE_SCHEMA)
    yield from vocabulary.problems(script.meta)
    if script.alias != folder.name:
        yield f"the alias '{script.alias}' is not the name of the folder"
    if not re.search(r"""^uid:\s*["'][0-9a-f]{16}["']\s*$""", (folder / "_cm.yaml").read_text(encoding="utf-8"), re.MULTILINE):
        yield "the uid is not 16 hexadecimal digits between quotes; without quotes YAML may read a number"
    if not (folder / "README-extra.md").is_file():
        yield "README-extra.md is missing"
    customize = folder / "customize.py"
    if customize.is_file():
        lines = code_lines(customize.read_text(encoding="utf-8"))
        if lines > CUSTOMIZE_LINES:
            yield f"customize.py has {lines} lines of code, more than {CUSTOMIZE_LINES}: move the work into the package"
    yield from _variations(script)
    yield from _flags(script)


def _flags(script: Script) -> Iterator[str]:
    """Flags that customize.py declares (``cm.flag``) and the meta does not map, or the other way round; and what is not said about one.

    Scripts that declare none are left alone: their hooks may read the environment in any way.
    """
    customize = script.path / "customize.py"
    declared = declared_flags(customize.read_text(encoding="utf-8")) if customize.is_file() else {}
    if not declared:
        return
    mapped = {str(flag): str(key) for block in script.blocks for flag, key in (block.get("input_mapping") or {}).items()}
    for flag in sorted(declared.keys() | mapped.keys()):
        if declared.get(flag) != mapped.get(flag):
            yield f"--{flag}: customize.py sets {declared.get(flag, 'nothing')} by it, input_mapping {mapped.get(flag, 'nothing')}"
    for given in inputs_of(script).values():
        if given.flag in declared and not given.alias_of:
            missing = [name for name, text in (("type", given.kind), ("desc", given.desc)) if not text]
            missing += ["default or otherwise"] if given.kind != "switch" and not (given.default or given.otherwise) else []
            if missing:
                yield f"--{given.flag}: {', '.join(missing)} missing in input_description or inputs.yaml"


def declared_flags(source: str) -> dict[str, str]:
    """Flag -> key of the options classes in a customize.py: ``name: type = cm.flag("KEY", also=("old",))``; empty if it is not Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    found = {}
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(
                target=ast.Name(id=name),
                value=ast.Call(func=ast.Attribute(attr="flag") | ast.Name(id="flag"), args=[ast.Constant(value=str(key))], keywords=more),
            ):
                names = [part.value for one in more if one.arg == "also" for part in ast.walk(one.value) if isinstance(part, ast.Constant)]
                found.update(dict.fromkeys((name, *map(str, names)), key))
    return found


def _variations(script: Script) -> Iterator[str]:
    for name in ("", *script.variations):
        if "," in name or name.endswith(".#"):
            continue
        try:
            choose(script, ScriptQuery(variations=(name,) if name else ()))
        except Cm4TinyError as error:
            yield f"variation '_{name}': {error.what}" if name else f"default variations: {error.what}"


def code_lines(source: str) -> int:
    """Lines of Python that are neither blank nor comments."""
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    used: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in ignored:
            used.update(range(token.start[0], token.end[0] + 1))
    return len(used)


def against_schema(meta: Mapping[str, Any], file: Path = SCHEMA) -> Iterator[str]:
    """What a meta breaks of a JSON Schema, one line each with the place."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(json.loads(file.read_text(encoding="utf-8")))
    for error in validator.iter_errors(meta):
        where = "/".join(str(part) for part in error.absolute_path) or "top level"
        yield f"{where}: {error.message}"


def _duplicates(scripts: list[Script]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for script in scripts:
        if script.uid in seen:
            yield f"{script.path.name}: has the uid of {seen[script.uid]}"
        seen.setdefault(script.uid, script.path.name)


def _missing_dependencies(store: ScriptStore, script: Script, *, several: bool = False) -> Iterator[str]:
    """Dependencies that name no script, or, unless ``several`` may be meant, more than one."""
    blocks = [script.meta, *script.variations.values(), *(block or {} for block in (script.meta.get("versions") or {}).values())]
    for block in blocks:
        for kind in vocabulary.DEP_LISTS:
            for dep in block.get(kind) or ():
                tags = str(dep.get("tags", ""))
                if "<<<" in tags or "#" in tags:
                    continue
                try:
                    query = ScriptQuery.parse(tags)
                except Cm4TinyError as error:
                    yield f"{kind}: {error.what}"
                    continue
                found = [entry for entry in candidates(store, query) if all(has_variation(entry, name) for name in query.variations)]
                if not found or (len(found) > 1 and not several):
                    listed = ", ".join(entry.alias for entry in found) or "none"
                    yield f"{kind}: '{tags}' names {len(found)} scripts ({listed}), not one"
