# SPDX-License-Identifier: Apache-2.0
"""What ``customize.py`` is called with: upstream's ``run_script_input`` and the dictionary around it.

The dependency lists inside ``meta`` are the lists of the run itself, so a hook that changes them (``automation.update_deps``) changes
what runs next and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from cm4tiny.resolver.language.environment import LOCAL_KEYS
from cm4tiny.resolver.language.host import os_info
from cm4tiny.resolver.plan.resolve import Request, Resolved
from cm4tiny.resolver.run import hooks, native
from cm4tiny.resolver.run.session import Session

Input = dict[str, Any]


def script_input(session: Session, request: Request, resolved: Resolved, module: ModuleType | None) -> Input:
    """Upstream's ``run_script_input``: one dictionary per run, which hooks may change (``script_name``, ``path``)."""
    script = resolved.script
    meta = {**script.meta, **{kind: deps for kind, deps in resolved.lists.items() if deps or kind in script.meta}}
    host = os_info()
    given: Input = {
        "path": str(script.path), "bat_ext": host["bat_ext"], "os_info": host, "const": resolved.const, "state": resolved.state,
        "const_state": resolved.const_state, "reuse_cached": False, "recursion": request.depth > 0,
        "recursion_spaces": "  " * request.depth, "tmp_file_run_state": native.RUN_STATE, "tmp_file_run_env": native.RUN_ENV,
        "tmp_file_state": native.STATE, "tmp_file_run": "tmp-run", "local_env_keys": list(LOCAL_KEYS),
        "local_env_keys_from_meta": list(script.meta.get("local_env_keys") or ()), "posthook_deps": resolved.lists["posthook_deps"],
        "add_deps_recursive": resolved.adr, "remembered_selections": [], "found_script_tags": list(script.tag_list),
        "variation_tags_string": resolved.chosen.as_tags(), "found_cached": False, "debug_script_tags": "", "verbose": session.verbose,
        "meta": meta, "env": resolved.env, "run_state": run_state(session, resolved), "self": session.automation,
        "customize_code": module,
    }  # fmt: skip
    given["customize_common_input"] = _common(session, request, resolved, given)
    return given


def run_state(session: Session, resolved: Resolved) -> Input:
    """The part of upstream's ``run_state`` that scripts read."""
    script = resolved.script
    return {
        "script_id": f"{script.alias},{script.uid}",
        "script_tags": list(resolved.query.tags),
        "script_variation_tags": list(resolved.chosen.names),
        "script_repo_alias": script.repo_alias,
        "parent": next(iter(session.needed_by()), None),
        "version_info": session.version_info,
        "cache": resolved.cache,
        "deps": [],
    }


def _common(session: Session, request: Request, resolved: Resolved, given: Input) -> Input:
    script = resolved.script
    return {
        "input": {**request.inputs, "tags": request.tags, "env": given["env"], "state": given["state"], "run_state": given["run_state"]},
        "automation": session.automation,
        "artifact": hooks.Artifact(str(script.path), script.meta, str(script.repo_path), {"alias": script.repo_alias}),
        "customize": script.meta.get("customize") or {},
        "os_info": given["os_info"],
        "recursion_spaces": given["recursion_spaces"],
        "script_tags": list(resolved.query.tags),
        "variation_tags": list(resolved.chosen.names),
    }


def hook_input(given: Input, env: Mapping[str, Any] | None = None) -> Input:
    """What a hook gets; ``given`` is the run's :func:`script_input`, ``env`` another environment than the run's."""
    return {
        **given["customize_common_input"],
        "env": given["env"] if env is None else env,
        "state": given["state"],
        "meta": given["meta"],
        "run_script_input": given,
    }


def version_row(session: Session, resolved: Resolved, version: str) -> Input:
    """One row of upstream's ``version_info``: what ran, in which version, for whom."""
    script, names = resolved.script, resolved.chosen.names
    tags = ",".join([*resolved.query.tags, *(f"_{name}" for name in names)])
    return {
        tags or script.alias: {
            "script_uid": script.uid,
            "script_alias": script.alias,
            "script_tags": ",".join(script.tag_list),
            "script_variations": ",".join(names),
            "version": version,
            "parent": next((f"{above.script.alias},{above.script.uid}" for above, _ in reversed(session.chain)), None),
        }
    }
