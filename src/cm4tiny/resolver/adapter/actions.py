# SPDX-License-Identifier: Apache-2.0
"""The actions around a run, for cmind: ``cm find/add/test/doc/lint script``.

Each takes cmind's input and returns ``{'return': 0, ...}`` or ``{'return': n, 'error': text}``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import Cm4TinyError, ScriptFailedError, ScriptNotFoundError, UsageError
from cm4tiny.resolver.adapter.command import open_session, run_automation
from cm4tiny.resolver.adapter.command_input import with_tags
from cm4tiny.resolver.adapter.known_flags import refuse_unknown
from cm4tiny.resolver.catalogue.selection import candidates
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.language.options import CommandOptions, parse
from cm4tiny.resolver.language.query import ScriptQuery, has_variation
from cm4tiny.resolver.run.session import Session
from cm4tiny.settings import is_on

Answer = dict[str, Any]

_SEARCHES = ("find", "search", "ls", "list")
_REMOVALS = ("rm", "remove", "delete")
"""Words for actions that look for scripts, and for those in which cmind does and then removes what it finds."""


def _as_cm(action: Callable[[Any, Answer], Answer]) -> Callable[[Any, Answer], Answer]:
    """Turns errors of an action into cmind's answer."""

    def guarded(automation: Any, i: Answer) -> Answer:
        try:
            return action(automation, i)
        except Cm4TinyError as error:
            return error.as_cm()
        except OSError as error:
            return UsageError(f"{type(error).__name__}: {error}").as_cm()

    return guarded


def _say(i: Mapping[str, Any], text: str) -> None:
    if i.get("out") == "con":
        sys.stdout.write(f"{text}\n")


def _asked_for(session: Session, i: Mapping[str, Any], repository: str = "") -> list[Script]:
    """The scripts that the input names by tags, variations, alias and repository; all scripts if it names none.

    ``*`` and ``?`` may stand in the alias.
    """
    flags = with_tags(i)
    query, name = ScriptQuery.parse(str(flags.get("tags") or "")), str(flags.get("script_name") or "")
    if any(char in name for char in "*?"):
        from fnmatch import fnmatchcase

        found = [script for script in candidates(session.store, query) if fnmatchcase(script.alias, name)]
    else:
        found = candidates(session.store, query, name)
    wanted = (*query.variations, *query.excluded_variations)
    return [
        script
        for script in found
        if all(has_variation(script, variation) for variation in wanted) and repository in ("", script.repo_alias)
    ]


def _repository_of(i: Mapping[str, Any]) -> str:
    """The repository of ``cm find script repo:alias``."""
    parsed = i.get("parsed_artifact") or []
    return str(parsed[1][0] or parsed[1][1]) if len(parsed) > 1 else ""


@_as_cm
def search_automation(automation: Any, i: Answer) -> Answer:
    """``cm find script``: the scripts that have the tags and variations, as cmind's artifacts."""
    from cmind.artifact import Artifact

    if i.get("action") in _SEARCHES:
        refuse_unknown(i)
    elif i.get("action") in _REMOVALS:
        refuse_unknown(i, "f", "force")
    session = open_session(automation, {}, None, False)
    artifacts = []
    for script in _asked_for(session, i, _repository_of(i)):
        artifact = Artifact(cmind=automation.cmind, path=str(script.path))
        artifact.repo_path = str(script.repo_path)
        artifact.repo_meta = {"alias": script.repo_alias, "uid": ""}
        answer = artifact.load()
        if answer["return"] > 0:
            return dict(answer)
        artifacts.append(artifact)
        _say(i, str(script.path))
    return {"return": 0, "list": artifacts}


@_as_cm
def add_script(automation: Any, i: Answer) -> Answer:
    """``cm add script [repo:]alias --tags=a,b``: a new script with a meta, a ``customize.py``, a ``run.sh`` and a README."""
    from cm4tiny.resolver.catalogue.new_script import new_script

    refuse_unknown(i, "new_tags", "meta", "script_name")
    parsed = i.get("parsed_artifact") or []
    alias, uid = parsed[0] if parsed else ("", "")
    tags = str(i.get("tags") or i.get("new_tags") or "")
    folder = new_script(
        open_session(automation, {}, None, False).store,
        _place_for(automation, _repository_of(i)),
        alias,
        uid=uid,
        tags=[tag.strip() for tag in tags.split(",") if tag.strip()],
        extra=i.get("meta") if isinstance(i.get("meta"), Mapping) else {},
        native=Path(str(i["script_name"])) if i.get("script_name") else None,
        as_json=parse(CommandOptions, i).json,
    )
    automation.cmind.index.add(folder.meta, str(folder.path), list(folder.repository), update=True)
    if automation.cmind.use_index:
        automation.cmind.index.save()
    _say(i, f"new script in {folder.path}")
    return {"return": 0, "path": str(folder.path), "meta": folder.meta}


def _place_for(automation: Any, repository: str) -> tuple[Path, tuple[str, str]]:
    """The folder with ``script/`` of a registered repository (``local`` by default), and its alias and uid."""
    wanted = repository or "local"
    for repo in automation.cmind.repos.lst:
        alias, uid = str(repo.meta.get("alias", "")), str(repo.meta.get("uid", ""))
        if wanted in (alias, uid):
            return Path(repo.path) / str(getattr(repo, "path_prefix", "") or repo.meta.get("prefix") or ""), (alias, uid)
    known = ", ".join(str(repo.meta.get("alias", "")) for repo in automation.cmind.repos.lst)
    raise UsageError(f"no repository '{wanted}' is registered", why=f"registered are: {known}", hint="register it:\ncm add repo --path=...")


@_as_cm
def test_scripts(automation: Any, i: Answer) -> Answer:
    """``cm test script``: runs what the metas' ``tests`` key lists, for each script that the input names."""
    from cm4tiny.resolver.language.meta_tests import runs_of

    refuse_unknown(i, "test_input_index", "test_input_id", "env")
    session = open_session(automation, {}, None, False)
    scripts = [script for script in _asked_for(session, i, _repository_of(i)) if script.meta.get("tests")]
    if not scripts:
        raise ScriptNotFoundError("no script with a 'tests' key fits", hint="add 'tests: {run_inputs: [{...}]}' to the _cm.yaml")
    outcomes = []
    for script in scripts:
        for given in runs_of(script, i):
            answer = run_automation(automation, {**given, "out": i.get("out"), "quiet": True})
            outcomes.append({"alias": script.alias, "tags": given["tags"], "return": answer["return"], "error": answer.get("error", "")})
            _say(i, f"{'ok    ' if answer['return'] == 0 else 'FAILED'} {script.alias} {given['tags']}")
    failed = [row for row in outcomes if row["return"] > 0]
    if failed:
        listed = "; ".join(f"{row['alias']} ({row['tags']}): {str(row['error']).splitlines()[0]}" for row in failed)
        raise ScriptFailedError(f"{len(failed)} of {len(outcomes)} tests of scripts failed", why=listed, hint="run one of them with -v")
    return {"return": 0, "list": outcomes}


@_as_cm
def lint_scripts(automation: Any, i: Answer) -> Answer:
    """``cm lint script``: checks the scripts of a repository (``--path``, else those that the input names) without running them."""
    from cm4tiny.resolver.catalogue.lint import lint_repository, lint_scripts_of

    refuse_unknown(i, "path", "strict")
    if i.get("path"):
        problems = lint_repository(Path(str(i["path"])))
        what = str(i["path"])
    else:
        session = open_session(automation, {}, None, False)
        scripts = _asked_for(session, i, _repository_of(i))
        if not scripts:
            raise ScriptNotFoundError("no matching script", hint="list the scripts:\ncm find script")
        problems = lint_scripts_of(session.store, scripts, house_rules=is_on(i.get("strict", "")))
        what = "1 script" if len(scripts) == 1 else f"{len(scripts)} scripts"
    for text in problems:
        _say(i, text)
    if problems:
        shown = "" if i.get("out") == "con" else "\n".join(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UsageError(f"{what}: {count}", why=shown, hint="correct the _cm.yaml files named above")
    _say(i, f"{what}: no problems")
    return {"return": 0, "list": problems}


@_as_cm
def document_scripts(automation: Any, i: Answer) -> Answer:
    """``cm doc script``: a Markdown page for each script that the input names, printed or written to ``--output_dir``."""
    from cm4tiny.resolver.catalogue.reference import page_of

    refuse_unknown(i, "output_dir")
    session = open_session(automation, {}, None, False)
    scripts = _asked_for(session, i, _repository_of(i))
    if not scripts:
        raise ScriptNotFoundError("no matching script", hint="list the scripts:\ncm find script")
    folder = Path(str(i["output_dir"])) if i.get("output_dir") else None
    if folder is None:
        _say(i, "\n".join(page_of(script) for script in scripts))
        return {"return": 0, "list": [script.alias for script in scripts]}
    folder.mkdir(parents=True, exist_ok=True)
    for script in scripts:
        file = folder / f"{script.alias}.md"
        file.write_text(page_of(script), encoding="utf-8")
        _say(i, str(file))
    return {"return": 0, "list": [script.alias for script in scripts]}
