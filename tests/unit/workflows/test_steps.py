# SPDX-License-Identifier: Apache-2.0
"""The form of every step: ``customize.py`` binds options to a function, and the options are what the meta and the table of inputs say."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

from cm4tiny import cm
from cm4tiny.cm import Step
from cm4tiny.events import SILENT
from cm4tiny.paths import PACKAGE
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories
from cm4tiny.resolver.language.environment import key_set
from cm4tiny.resolver.language.inputs import inputs_of
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.plan.fingerprint import content_of
from cm4tiny.resolver.run import hooks

SCRIPTS = {script.alias: script for script in ScriptStore(own_repositories()).scripts}
HOOKS = ("check_inputs", "preprocess", "postprocess")
#: Type in inputs.yaml -> types of a field. A switch whose other words are judged later is read as text.
TYPES = {
    "text": {str}, "switch": {bool, str}, "count": {int | None, int}, "size": {str}, "choice": {str}, "choices": {tuple[str, ...]},
    "sha256": {str}, "file": {Path | None}, "folder": {Path | None}, "output folder": {Path, Path | None}, "paths": {tuple[Path, ...]},
}  # fmt: skip
#: Keys of CM itself, or that a caller sets with --env.
OF_CM = {"CM_LOCK_FILE", "CM_TINY_OUTDIR", "CM_TINY_JOBS", "CM_TINY_MODE", "CM_TINY_LIST", "CM_TINY_BOARD"}
KEY = re.compile(r"CM_[A-Z0-9_]+")


def name_of(alias: str) -> str:
    return alias.replace("-", "_")


def module_of(alias: str) -> ModuleType:
    return importlib.import_module(f"cm4tiny.workflows.{name_of(alias)}")


def options_of(alias: str) -> type[Any]:
    module = hooks.load(SCRIPTS[alias], hooks.Place(SCRIPTS[alias]))
    found = {getattr(module, hook).options for hook in HOOKS if hasattr(module, hook)}
    assert len(found) == 1
    return found.pop()


@pytest.fixture(params=sorted(SCRIPTS))
def alias(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# --- customize.py ---------------------------------------------------------------------------------------------------------------------
def faults_of_form(source: str, alias: str) -> Iterator[str]:
    """What in a customize.py is not: a docstring, the two imports, and hooks bound to one options class and functions of the workflow."""
    tree = ast.parse(source)
    if not ast.get_docstring(tree):
        yield "no docstring"
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    if [ast.unparse(node) for node in imports[:1]] != ["from cm4tiny import cm"]:
        yield "the first import is not: from cm4tiny import cm"
    workflow = imports[1] if len(imports) == 2 else None
    if not isinstance(workflow, ast.ImportFrom) or workflow.module != f"cm4tiny.workflows.{name_of(alias)}":
        yield f"the second import, and the last one, is not from cm4tiny.workflows.{name_of(alias)}"
        return
    options, *functions = (given.asname or given.name for given in workflow.names)
    bound = [node for node in tree.body[1:] if node not in imports]
    used = []
    for node in bound:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=hook)], value=ast.Call(args=[ast.Name(id=first), ast.Name(id=second)], keywords=[]) as call
            ):
                if hook not in HOOKS or ast.unparse(call.func) != "cm.step" or first != options or second not in functions:
                    yield f"{ast.unparse(node)}: not HOOK = cm.step({options}, FUNCTION)"
                used.append(second)
            case _:
                yield f"{ast.unparse(node).splitlines()[0]}: belongs into cm4tiny.workflows.{name_of(alias)}"
    if sorted(used) != sorted(functions):
        yield f"imported and not bound once each: {', '.join(functions)}"


def test_every_step_has_the_one_form(alias: str) -> None:
    source = (SCRIPTS[alias].path / "customize.py").read_text(encoding="utf-8")
    assert list(faults_of_form(source, alias)) == []


GOOD = '"""X."""\nfrom cm4tiny import cm\nfrom cm4tiny.workflows.a_b import AbOptions, work\npreprocess = cm.step(AbOptions, work)\n'


@pytest.mark.parametrize(
    "change",
    [
        ('"""X."""\n', ""), ("cm4tiny import cm\n", "cm4tiny import cm, events\n"), ("workflows.a_b", "workflows.other"),
        ("cm4tiny.workflows.a_b", "os"), ("preprocess =", "detect_version ="), ("cm.step(", "cm.other("),
        ("(AbOptions, work)", "(work, AbOptions)"),
        ("preprocess = cm.step(AbOptions, work)", "def preprocess(i):\n    return {'return': 0}"), ("preprocess", "x = 1\npreprocess"),
        ("work\n", "work, more\n"), ("(AbOptions, work)", "(AbOptions, lambda o, s: {})"), ("\npre", "\nimport os\npre"),
    ],
)  # fmt: skip
def test_another_form_is_refused(change: tuple[str, str]) -> None:
    assert list(faults_of_form(GOOD, "a-b")) == []
    assert change[0] in GOOD and list(faults_of_form(GOOD.replace(*change, 1), "a-b")) != []


def test_a_workflow_reads_its_environment_by_its_options_alone(alias: str) -> None:
    used = {
        node.attr for node in ast.walk(ast.parse(inspect.getsource(module_of(alias)))) if isinstance(node, ast.Attribute)
    }  # fmt: skip
    assert not used & {"env", "environ", "getenv"}


def test_every_module_of_workflows_is_a_step_or_is_used_by_several() -> None:
    names = {path.stem for path in (PACKAGE / "workflows").glob("*.py")} - {"__init__"}
    shared = names - {name_of(alias) for alias in SCRIPTS}
    assert {name_of(alias) for alias in SCRIPTS} <= names
    text = "\n".join(inspect.getsource(module_of(alias)) for alias in SCRIPTS)
    assert all(len(re.findall(rf"cm4tiny\.workflows\.{name} import", text)) > 1 for name in shared)


# --- options --------------------------------------------------------------------------------------------------------------------------
def test_options_are_frozen_and_have_a_meaning(alias: str) -> None:
    cls = options_of(alias)
    assert is_dataclass(cls) and cls.__dataclass_params__.frozen and cls.__name__.endswith("Options")  # type: ignore[attr-defined]
    assert cls.__doc__ and cls.__module__ == module_of(alias).__name__


def test_the_mapping_of_the_meta_is_that_of_the_options(alias: str) -> None:
    meta = {flag: key for block in SCRIPTS[alias].blocks for flag, key in (block.get("input_mapping") or {}).items()}
    assert meta == cm.flags_of(options_of(alias)), "input_mapping of _cm.yaml and the flags of the options class differ"


def test_a_flag_has_the_type_default_and_limits_of_the_table(alias: str, tmp_path: Path) -> None:
    cls, described = options_of(alias), inputs_of(SCRIPTS[alias])
    types = get_type_hints(cls)
    for field in fields(cls):
        if field.metadata["is_flag"]:
            given, about = described[field.name], field.metadata
            assert types[field.name] in TYPES[given.kind], field.name
            assert given.default == str(about["default"]), f"{field.name}: default of inputs.yaml and of the options"
            given.check(given.default or None, tmp_path)
            if given.kind == "count":
                assert (about["limits"] or (1, 2**31)) == (given.minimum, given.maximum), field.name
            for name in about["flags"]:
                assert described[name].alias_of == field.name, f"list --{name} after --{field.name} in input_mapping"


def test_what_is_no_flag_is_set_by_a_meta_or_a_step(alias: str) -> None:
    known = key_set(tuple(key for script in SCRIPTS.values() for key in _set_by(script)))
    for field in fields(options_of(alias)):
        key = field.metadata["key"]
        if not field.metadata["is_flag"] and key not in OF_CM:
            assert key.rstrip("*") in known or any(
                entry.startswith(key.rstrip("*")) for script in SCRIPTS.values() for entry in _set_by(script)
            ), key


def _set_by(script: Script) -> Iterator[str]:
    yield from script.meta.get("new_env_keys") or ()
    for block in script.blocks:
        for name in ("default_env", "env", "const"):
            yield from block.get(name) or ()
        yield from (block.get("input_mapping") or {}).values()


def test_what_a_step_sets_reaches_the_caller(alias: str) -> None:
    """Its module and those that it imports name no other keys: a key too many would count as an input of the step (see fingerprint)."""
    read = {field.metadata["key"].rstrip("*") for field in fields(options_of(alias))}
    handed = [str(key) for key in SCRIPTS[alias].meta.get("new_env_keys") or ()]
    places = key_set(tuple(handed))
    words = {word for name in content_of(SCRIPTS[alias].path).imported for word in _keys_of(name)}
    strange = {word for word in words - read if word not in places and not any(key.startswith(word) for key in [*handed, *read])}
    assert not {word for word in strange if not any(word.startswith(key) for key in read if key.endswith("_"))}


def _keys_of(name: str) -> set[str]:
    file = PACKAGE.parent / f"{name.replace('.', '/')}.py"
    return {word for word in content_of(file).words if KEY.fullmatch(word)} if name.startswith("cm4tiny.workflows.") else set()


def test_without_any_key_the_options_are_their_defaults(alias: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cls = options_of(alias)
    needed = {field.metadata["key"]: "given" for field in fields(cls) if field.metadata.get("needs")}
    options = Step(needed, SILENT, tmp_path).options(cls)
    for field in fields(cls):
        if (default := field.metadata["default"]) != "":
            found = getattr(options, field.name)
            assert (",".join(found) if isinstance(found, tuple) else str(found)) in (
                str(default),
                str(tmp_path / str(default)),
                str(tmp_path),
            )
