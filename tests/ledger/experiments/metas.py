# SPDX-License-Identifier: Apache-2.0
"""What a registered repository can do to the engine by its metas alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.hostile_metas import lay

from cm4tiny.events import EventStream
from cm4tiny.resolver import Repository, Session, new_session
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run.runner import run
from cm4tiny.resolver.workers.pool import use_workers
from ledger.outcome import Outcome, attempt

GOOD = "def preprocess(i):\n    i['env']['T_OUT'] = 'true'\n    return {'return': 0, 'version': i['env'].get('T_FOUND', '')}\n"


def _script(folder: Path, number: int, alias: str, **meta: Any) -> None:
    place = folder / "repo" / "script" / alias
    place.mkdir(parents=True)
    identity = {"alias": alias, "uid": f"{number:016x}", "automation_alias": "script", "automation_uid": "5b4e0237da074764"}
    (place / "_cm.json").write_text(json.dumps({**identity, "tags": [alias], "new_env_keys": ["T_OUT"], **meta}))
    (place / "customize.py").write_text(GOOD)


def _session(folder: Path) -> Session:
    session = new_session(folder / "home", [Repository(folder / "repo", "foreign")], events=EventStream())
    use_workers(session, 2, "")
    return session


def hostile(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A script runs beside one whose meta is of a hostile ``kind`` (tests/support/hostile_metas.py)."""
    _script(folder, 1, "good")
    lay(folder / "repo" / "script" / "bad", inputs["kind"])

    def one() -> Outcome:
        session = _session(folder)
        found = run(session, new_request({"tags": "good"})).new_env.get("T_OUT")
        return Outcome("noted" if found == "true" else "wrong", text=" ".join(session.store.warnings))

    return attempt(one)


def circle(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """Scripts need each other in a circle below the one that is run."""
    _script(folder, 1, "top", deps=[{"tags": "one"}])
    _script(folder, 2, "one", deps=[{"tags": "two"}], cache=inputs.get("cache", False))
    _script(folder, 3, "two", deps=[{"tags": "one"}])
    return attempt(lambda: Outcome("wrong", text=str(run(_session(folder), new_request({"tags": "top"})).new_env)))


def version(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A script finds the version ``found`` where a range ``asked`` for another one."""
    _script(folder, 1, "tool", default_env={"T_FOUND": inputs["found"]}, cache=inputs.get("cache", False))
    request = new_request({"tags": "tool", **inputs["asked"]})
    return attempt(lambda: Outcome("wrong", text=f"version {run(_session(folder), request).version} was taken"))
