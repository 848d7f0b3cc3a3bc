# SPDX-License-Identifier: Apache-2.0
"""A CM repository of micro-scripts in a temporary folder, and a CM home next to it."""

from __future__ import annotations

import hashlib
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.events import Event, EventStream
from cm4tiny.resolver import Repository, RunResult, Session, new_session
from cm4tiny.resolver.plan.resolve import new_request
from cm4tiny.resolver.run.runner import run

TRACING = """
import json, os

def trace(i, hook):
    env = {key: value for key, value in sorted(i["env"].items()) if key.startswith("T_")}
    with open(os.environ["TRACE"], "a") as file:
        file.write(json.dumps([i["meta"]["alias"], hook, env]) + "\\n")

def preprocess(i):
    trace(i, "preprocess")
    return {"return": 0}

def postprocess(i):
    trace(i, "postprocess")
    return {"return": 0}
"""


class Micro:
    """Makes scripts and runs them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = base / "repo"
        self.home = base / "home"
        self.work = base / "work"
        self.trace_file = base / "trace"
        self.work.mkdir()
        (self.root / "script").mkdir(parents=True)
        (self.root / "cmr.yaml").write_text('alias: micro\nuid: "aaaabbbbccccdddd"\ngit: false\n')
        self.events: list[Event] = []

    def script(self, alias: str, customize: str | None = TRACING, run_sh: str | None = None, **meta: Any) -> Path:
        """Writes a script; its tags are the words of its alias unless they are given."""
        folder = self.root / "script" / alias
        folder.mkdir(exist_ok=True)
        uid = hashlib.sha256(alias.encode()).hexdigest()[:15] + "a"
        identity = {"alias": alias, "uid": uid, "automation_alias": "script", "automation_uid": "5b4e0237da074764"}
        (folder / "_cm.json").write_text(json.dumps({**identity, "tags": alias.split("-"), **meta}))
        if customize is not None:
            (folder / "customize.py").write_text(textwrap.dedent(customize))
        if run_sh is not None:
            (folder / "run.sh").write_text(textwrap.dedent(run_sh))
        return folder

    def session(self, *, own: bool = False, **options: Any) -> Session:
        """A session on the repository."""
        return new_session(self.home, [Repository(self.root, "micro", own=own)], events=EventStream(self.events.append), **options)

    def run(self, tags: str, *, own: bool = False, **flags: Any) -> RunResult:
        """Runs a script as the command line would."""
        session = self.session(own=own, quiet=bool(flags.pop("quiet", False)))
        request = new_request({"tags": tags, **flags})
        session.planner.user_env.update({**request.env, **request.const})
        return run(session, request)

    @property
    def trace(self) -> list[Any]:
        """What ran since the last look: ``[alias, hook, env]``."""
        rows = [json.loads(line) for line in self.trace_file.read_text().splitlines()] if self.trace_file.exists() else []
        self.trace_file.unlink(missing_ok=True)
        return rows

    @property
    def ran(self) -> list[str]:
        """Aliases whose ``preprocess`` ran since the last look."""
        return [row[0] for row in self.trace if row[1] == "preprocess"]

    @property
    def entries(self) -> list[Path]:
        """Complete cache entries."""
        return sorted(file.parent for file in (self.home / "repos" / "local" / "cache").glob("*/_cm.json"))

    @property
    def folders(self) -> list[str]:
        """Everything in the cache folder that is not hidden, complete or not."""
        cache = self.home / "repos" / "local" / "cache"
        return sorted(place.name for place in cache.glob("[!.]*"))


@pytest.fixture
def micro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Micro:
    made = Micro(tmp_path)
    monkeypatch.setenv("TRACE", str(made.trace_file))
    monkeypatch.setenv("CM_REPOS", str(made.home))
    monkeypatch.delenv("CM_SCRIPT_EXTRA_CMD", raising=False)
    monkeypatch.chdir(made.work)
    return made
