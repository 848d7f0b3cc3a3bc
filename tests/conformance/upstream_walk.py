# SPDX-License-Identifier: Apache-2.0
"""Upstream's engine plans upstream's scripts: a program that writes what it decides as JSON, for ``test_differential.py``.

    python upstream_walk.py REQUESTS.json ANSWERS.json

It runs with ``cmind`` and ``cmx4mlops`` on the path and a throw-away CM home. The engine's decisions are its own code, unchanged: ``run``
of its ``CAutomation``. What would do real work is replaced: ``customize.py`` is an empty module, the native script is nothing but its
posthook dependencies, a dependency is written down instead of run (or, for a tree, run in the same way). Metas are read once and copied
for every use, as the engine changes them.

A request is ``{"id": ..., "tags": ..., "uid": ..., "tree": bool, "limit": runs, ...flags}``; its answer is a plan, or ``{"error": text}``.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import logging
import pickle
import pkgutil
import sys
import types
from pathlib import Path
from typing import Any

import cmind
from cmind import core, utils

# cmind takes every installed package that begins with "cm" for a repository; ours is not part of upstream's corpus.
_iter_modules = pkgutil.iter_modules
pkgutil.iter_modules = lambda *a, **b: (m for m in _iter_modules(*a, **b) if m.name != "cm4tiny")  # type: ignore[assignment]

SCRIPT = "5b4e0237da074764"
_metas: dict[str, bytes] = {}
_load = utils.load_yaml_and_json


def _load_once(file_name_without_ext: str, *arguments: Any, **named: Any) -> Any:
    key = str(file_name_without_ext)
    if key not in _metas:
        _metas[key] = pickle.dumps(_load(file_name_without_ext, *arguments, **named))
    return pickle.loads(_metas[key])


def _no_code(_: Any) -> dict[str, Any]:
    return {"return": 0, "path": "", "code": types.ModuleType("customize")}


class TooLargeError(Exception):
    """A tree has more runs than the limit."""


class Proxy:
    """cmind for one run: its dependencies come here."""

    def __init__(self, cm: Any, plan: dict[str, Any], tree: bool) -> None:
        self._cm, self._plan, self._tree = cm, plan, tree
        self.kind = "deps"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cm, name)

    def access(self, i: dict[str, Any]) -> dict[str, Any]:
        """Writes a dependency down; every other action is cmind's."""
        if i.get("action") != "run" or not str(i.get("automation", "")).endswith(SCRIPT):
            return dict(self._cm.access(i))
        env = self._plan["env"]
        flags = {key: copy.deepcopy(value) for key, value in i.items() if key not in INTERNAL}
        dep = {
            "kind": self.kind,
            "tags": i["tags"],
            "env": copy.deepcopy(i.get("local_env") or {}),
            "hidden": sorted(key for key in env if key not in i["env"]),
            "flags": flags,
        }
        self._plan["deps"].append(dep)
        if not self._tree:
            return {"return": 0}
        LEFT[0] -= 1
        if LEFT[0] < 0:
            raise TooLargeError
        dep["plan"] = {"deps": [], "env": {}}
        i = {key: value for key, value in i.items() if key not in ("action", "automation")}
        return run({**i, "skip_cache": True, "force_cache": False, "quiet": True}, dep["plan"], tree=True)


INTERNAL = {
    "action", "automation", "recursion_spaces", "recursion", "remembered_selections", "env", "state", "const", "const_state",
    "add_deps_recursive", "debug_script_tags", "verbose", "silent", "time", "run_state", "local_env", "local_state", "local_const",
    "local_const_state", "tags", "names", "enable_if_env", "enable_if_any_env", "skip_if_env", "skip_if_any_env",
}  # fmt: skip
#: Runs that the present tree may still have.
LEFT = [0]
ENGINE: Any = None
FILE = ""
META: dict[str, Any] = {}


def run(i: dict[str, Any], plan: dict[str, Any], *, tree: bool) -> dict[str, Any]:
    """One run of upstream's engine; what it decides goes into ``plan``."""
    proxy = Proxy(core.cm, plan, tree)
    engine = ENGINE.CAutomation(proxy, FILE)
    engine.meta, engine.full_path = META, FILE
    kinds: dict[int, str] = {}
    seen: dict[str, Any] = {}

    def now(env: dict[str, Any]) -> None:
        if not plan["env"]:
            plan["env"] = copy.deepcopy(env)

    def variations(*arguments: Any) -> Any:
        names = ("deps", "post_deps", "prehook_deps", "posthook_deps")
        kinds.update((id(deps), name) for name, deps in zip(names, arguments[8:12], strict=True))
        seen.update(meta=arguments[1], new_env_keys=arguments[12], new_state_keys=arguments[13], run_state=arguments[15])
        plan.update(uid=arguments[1]["uid"], alias=arguments[1]["alias"])
        answer = type(engine)._update_state_from_variations(engine, *arguments)
        plan["variations"] = [tag for tag in seen.get("variations", []) if not tag.startswith(("-", "~"))]
        return answer

    def groups(*arguments: Any) -> Any:
        answer = type(engine)._process_variation_tags_in_groups(engine, *arguments)
        seen["variations"] = answer.get("variation_tags", [])  # the engine appends to this list
        return answer

    def run_deps(deps: Any, keys: Any, env: Any, *rest: Any, **named: Any) -> Any:
        now(env)
        proxy.kind = kinds.get(id(deps), "post_deps")
        return type(engine)._run_deps(engine, deps, keys, env, *rest, **named)

    def native(i: dict[str, Any]) -> Any:
        now(i["env"])
        given = [i["local_env_keys"], i.get("local_env_keys_from_meta", []), i["env"], i["state"], i["const"], i["const_state"]]
        return engine._call_run_deps(
            i["posthook_deps"], *given, i["add_deps_recursive"], "", i["remembered_selections"], i["variation_tags_string"],
            i["found_cached"], i.get("debug_script_tags", ""), i["verbose"], False, "  ", i["run_state"],
        )  # fmt: skip

    engine._update_state_from_variations = variations
    engine._process_variation_tags_in_groups = groups
    engine._run_deps = run_deps
    outer = ENGINE.prepare_and_run_script_with_postprocessing
    ENGINE.prepare_and_run_script_with_postprocessing = native
    try:
        answer = engine.run(i)
    finally:
        ENGINE.prepare_and_run_script_with_postprocessing = outer
    if answer["return"] > 0:
        plan["error"] = str(answer.get("error", ""))
    elif seen:
        plan["cache"] = seen["run_state"].get("cache", False)
        plan["new_env_keys"] = list(seen["new_env_keys"])
        plan["new_state_keys"] = list(seen["new_state_keys"])
        plan["script_name"] = seen["meta"].get("script_name", "")
        plan["new_env"] = copy.deepcopy(answer["new_env"])
    return answer


def answer_to(request: dict[str, Any]) -> dict[str, Any]:
    """The plan for one request."""
    plan: dict[str, Any] = {"deps": [], "env": {}}
    LEFT[0] = int(request.get("limit") or 0)
    flags = {key: value for key, value in request.items() if key not in ("id", "uid", "tree", "limit")}
    if request.get("uid"):
        flags.update(artifact=request["uid"], parsed_artifact=[("", request["uid"])])
    i = {**flags, "parsed_automation": [("script", SCRIPT)], "quiet": True, "skip_write_test": True, "skip_cache": True}
    i.update(silent=True, run_state={"deps": []}, env=dict(flags.get("env") or {}))
    try:
        run(i, plan, tree=bool(request.get("tree")))
    except TooLargeError:
        plan["error"] = "too many runs"
    except Exception as error:
        plan["error"] = f"{type(error).__name__}: {error}"
    return plan


def main(requests: Path, answers: Path) -> None:
    """Answers all requests."""
    global ENGINE, FILE, META
    logging.disable(logging.CRITICAL)
    found = cmind.access({"action": "find", "automation": "automation", "artifact": f"script,{SCRIPT}"})
    place = Path(found["list"][0].path)
    FILE, META = str(place / "module.py"), found["list"][0].meta
    spec = importlib.util.spec_from_file_location("upstream_engine", FILE)
    assert spec is not None and spec.loader is not None
    ENGINE = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ENGINE)
    utils.load_yaml_and_json, utils.load_python_module = _load_once, _no_code
    logging.disable(logging.CRITICAL)
    plans = [answer_to(request) for request in json.loads(requests.read_text())]
    answers.write_text(json.dumps(plans, default=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
