"""The edge to CM: cmind's dictionaries in, cmind's ``{'return': n}`` out.

Inside the engine errors are raised; here they become return values, which cmind prints. Nothing here decides anything about scripts.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cm4tiny.engine import hooks, options
from cm4tiny.engine.cache import LOCAL_REPO
from cm4tiny.engine.console import Console
from cm4tiny.engine.environment import merge
from cm4tiny.engine.meta import Script
from cm4tiny.engine.plan import new_request
from cm4tiny.engine.repository import SCRIPT_AUTOMATION, own_repositories, repositories_of, write_atomically
from cm4tiny.engine.resolve import Request, pick
from cm4tiny.engine.runner import Result, run
from cm4tiny.engine.selection import Query, candidates, has_variation
from cm4tiny.engine.session import Session, new_session
from cm4tiny.errors import Cm4TinyError, NotAvailableError, nearest
from cm4tiny.events import EventStream

#: Exit status of a command that Ctrl-C ended.
INTERRUPTED = 130


class CmindProxy:
    """cmind as a script sees it: runs of scripts come back to this engine, everything else goes to cmind."""

    def __init__(self, cmind: Any, session: Session) -> None:
        self._cmind = cmind
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cmind, name)

    def access(self, i: Any, out: Any = None) -> Any:
        """cmind's ``access``."""
        if isinstance(i, Mapping) and i.get("action") == "run" and _is_script_automation(str(i.get("automation", ""))):
            return guarded(lambda: _nested(self._session, i), self._session)
        return self._cmind.access(i, out)


class AutomationProxy:
    """What a script gets as ``i['automation']``."""

    def __init__(self, automation: Any, session: Session) -> None:
        self._automation = automation
        self.cmind = CmindProxy(automation.cmind, session)
        self.meta = dict(automation.meta, uid=SCRIPT_AUTOMATION[1])
        self.path = automation.path
        self.events = session.events

    def run(self, i: dict[str, Any]) -> Any:
        """A script run in this process."""
        return self.cmind.access({**i, "action": "run", "automation": "script"})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotAvailableError(
            f"the script automation has no method '{name}'",
            why="upstream's has it, this engine does not have it yet",
            cure="run the script with upstream's automation: cm run script,5b4e0237da074764",
        )


def _is_script_automation(name: str) -> bool:
    alias, _, uid = name.rpartition(":")[2].partition(",")
    return SCRIPT_AUTOMATION[1] in (alias, uid) or alias in ("script", "tinyscript")


def run_automation(automation: Any, i: dict[str, Any], events: EventStream | None = None) -> dict[str, Any]:
    """``cm run script``: the whole command.

    Args:
        automation: cmind's automation object.
        i: cmind's input.
        events: hears what happens; by default a console if the output is one.

    Returns:
        ``return``, ``env``, ``new_env``, ``state``, ``new_state``, ``deps``, ``version``, ``cached``; or ``return`` > 0 and ``error``.
    """
    console = i.get("out") == "con"
    session = None
    try:
        flags = _with_extra_command(_with_tags(i))
        as_json = options.is_on(flags.get("j", "")) or options.is_on(flags.get("json", ""))
        session = open_session(automation, flags, events, console)
        with _output_to_stderr() if as_json else contextlib.nullcontext():
            answer = guarded(lambda: _first(session, flags), session)
        _index_new_entries(automation.cmind, session)
    except Cm4TinyError as error:
        return _as_cm(error, session)
    except KeyboardInterrupt:
        if not console:
            raise
        sys.stderr.write("\ninterrupted\n")
        raise SystemExit(INTERRUPTED) from None
    if as_json:
        sys.stdout.write(json.dumps(answer, indent=2, default=str) + "\n")
    return answer


@contextlib.contextmanager
def _output_to_stderr() -> Iterator[None]:
    """Sends standard output, also that of hooks and native scripts, to standard error, so that a JSON result stands alone."""
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)


def search_automation(automation: Any, i: dict[str, Any]) -> dict[str, Any]:
    """``cm find script``: the scripts that have the tags and variations, as cmind's artifacts."""
    from cmind.artifact import Artifact

    try:
        flags = _with_tags(i)
        session = open_session(automation, {}, None, False)
        query = Query.parse(str(flags.get("tags") or ""))
        wanted = (*query.variations, *query.excluded_variations)
        found = candidates(session.store, query, str(flags.get("script_name") or ""))
    except Cm4TinyError as error:
        return error.as_cm()
    artifacts = []
    for script in found:
        if not all(has_variation(script, name) for name in wanted):
            continue
        artifact = Artifact(cmind=automation.cmind, path=str(script.path))
        artifact.repo_path = str(script.repo_path)
        artifact.repo_meta = {"alias": script.repo_alias, "uid": ""}
        answer = artifact.load()
        if answer["return"] > 0:
            return dict(answer)
        artifacts.append(artifact)
        if i.get("out") == "con":
            sys.stdout.write(f"{script.path}\n")
    return {"return": 0, "list": artifacts}


def open_session(automation: Any, flags: Mapping[str, Any], events: EventStream | None, console: bool) -> Session:
    """A session on cmind's home, with its repositories and this project's own."""
    silent = options.is_on(flags.get("silent", "")) or options.is_on(flags.get("s", ""))
    verbose = not silent and (options.is_on(flags.get("verbose", "")) or options.is_on(flags.get("v", "")))
    env = flags.get("env") if isinstance(flags.get("env"), Mapping) else {}
    quiet = options.is_on(flags.get("quiet", "")) or str((env or {}).get("CM_QUIET", "")).lower() == "yes"
    if events is None:
        events = EventStream()
        if console and not silent:
            events.subscribe(Console(sys.stdout, verbose=verbose, times=options.is_on(flags.get("time", ""))))
    cmind = automation.cmind
    session = new_session(
        Path(cmind.repos_path).absolute(),
        repositories_of(cmind.repos.lst, own_repositories()),
        events=events,
        quiet=quiet,
        silent=silent,
        verbose=verbose,
        interactive=not quiet and _is_terminal(),
    )
    session.automation = AutomationProxy(automation, session)
    return session


def _is_terminal() -> bool:
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:
        return False


def _with_tags(i: Mapping[str, Any]) -> dict[str, Any]:
    """The input with ``cm run script "get compiler"`` and a second artifact turned into tags, and an alias into ``script_name``."""
    flags = dict(i)
    artifact = str(flags.get("artifact") or "")
    words = [str(flags.get("tags") or "")]
    if " " in artifact or ("," in artifact and not flags.get("parsed_artifact")):
        words = [artifact.replace(" ", ",")]
    elif artifact:
        parsed = flags.get("parsed_artifact") or [(artifact, "")]
        alias, uid = parsed[0][0], parsed[0][1]
        flags["script_name"] = f"{alias},{uid}" if alias and uid else alias or uid
    for other in flags.get("artifacts") or ():
        words.append(str(other).replace(" ", ","))
    flags["tags"] = ",".join(word for word in words if word)
    return flags


def _with_extra_command(flags: dict[str, Any]) -> dict[str, Any]:
    """Adds the flags of the variable ``CM_SCRIPT_EXTRA_CMD``."""
    extra = os.environ.get("CM_SCRIPT_EXTRA_CMD", "").strip()
    if extra:
        from cmind.cli import parse

        answer = parse(extra)
        if answer["return"] == 0:
            given = {key: value for key, value in answer["cm_input"].items() if key not in ("cmd", "action", "automation")}
            merge(flags, given)
    return flags


def _request_of(flags: Mapping[str, Any]) -> Request:
    request = new_request({key: value for key, value in flags.items() if key not in options.FROM_CMIND and key != "script_name"})
    request.name = str(flags.get("script_name") or "")
    return request


def _first(session: Session, flags: dict[str, Any]) -> dict[str, Any]:
    request = _request_of(flags)
    session.planner.user_env.update({**request.env, **request.const})
    script, _ = pick(session.store, request, quiet=session.quiet)
    given = [key for key in flags if key != "script_name"]
    options.check_flags(given, _mapped_flags(script), script.alias)
    if options.is_on(flags.get("help", "")) or options.is_on(flags.get("h", "")):
        _write_help(script)
        return {"return": 0, "skip_delayed_help": True}
    result = run(session, request)
    _warn_about_names(session, request)
    answer = _answer(result)
    if options.is_on(flags.get("print_deps", "")):
        lines = [f"cm run script --tags={tags}" for tags in result.deps]
        answer["new_state"] = {**result.new_state, "print_deps": lines}
        if flags.get("out") == "con":
            sys.stdout.write("".join(f"{line}\n" for line in lines))
    if not session.silent and flags.get("out") == "con":
        _write_final_env(session, script, result)
    return answer


def _nested(session: Session, i: Mapping[str, Any]) -> dict[str, Any]:
    """A run that a script asks for through ``automation.cmind.access``; ``env`` and ``state`` are changed in place, as upstream does it."""
    request = _request_of(_with_tags(i))
    request.depth = len(session.chain)
    if session.chain:
        request.needed_by = session.chain[-1][0].script.alias
        if not request.const:
            request.const = dict(session.chain[-1][0].const)
    result = run(session, request)
    for name, new in (("env", result.new_env), ("state", result.new_state)):
        if isinstance(i.get(name), dict):
            merge(i[name], new)
    return _answer(result)


def _answer(result: Result) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "return": 0, "env": result.env, "new_env": result.new_env, "state": result.state, "new_state": result.new_state,
        "deps": result.deps, "version": result.version, "cached": result.cached,
    }  # fmt: skip
    if result.path is not None:
        answer["path"] = str(result.path)
    if result.skipped:
        answer["skipped"] = True
    return answer


def guarded(work: Any, session: Session) -> dict[str, Any]:
    """Runs ``work`` and turns what it raises into cmind's error; an interrupt passes."""
    try:
        answer: dict[str, Any] = work()
        return answer
    except Cm4TinyError as error:
        return _as_cm(error, session)
    except Exception as error:
        place = hooks.Place(Script(Path(), {"alias": "engine"}), logs=session.logs)
        log = hooks.write_log(place)
        internal = Cm4TinyError(
            f"the engine itself failed: {type(error).__name__}: {error}",
            why="this is a defect of cm4tiny",
            cure=f"report it with the traceback in {log}" if log else "run it again with -v and report the traceback",
        )
        return _as_cm(internal, session)


def _as_cm(error: Cm4TinyError, session: Session | None) -> dict[str, Any]:
    if session is not None and session.verbose:
        sys.stderr.write(traceback.format_exc())
    return error.as_cm()


def _mapped_flags(script: Script) -> set[str]:
    blocks = [script.meta, *script.variations.values(), *(block or {} for block in (script.meta.get("versions") or {}).values())]
    flags = {str(flag).replace("-", "_") for block in blocks for flag in block.get("input_mapping") or ()}
    return flags | set(script.meta.get("input_description") or ())


def _warn_about_names(session: Session, request: Request) -> None:
    if session.any_hit:
        return
    for key in ("adr", "add_deps_recursive"):
        for name in request.flags.get(key) or ():
            if name not in session.dep_names:
                hint = nearest(name, sorted(session.dep_names))
                text = f"--{key}.{name} changed nothing: no dependency has this name; {hint}".rstrip("; ")
                session.events.message("adr", text, "warning")


def _write_final_env(session: Session, script: Script, result: Result) -> None:
    for key, text in sorted((script.meta.get("print_env_at_the_end") or {}).items()):
        session.events.message(script.alias, f"{text or f'ENV[{key}]'}: {result.new_env.get(key)}")


def _write_help(script: Script) -> None:
    title = f"{script.alias}: {script.meta.get('name', '')}".rstrip(": ")
    lines = [title, f"  tags: {','.join(script.tag_list)}", f"  path: {script.path}"]
    if script.variations:
        lines.append("  variations:")
        for name, block in script.variations.items():
            notes = [f"group {block['group']}"] if "group" in block else []
            notes += ["default"] if "default" in block else []
            lines.append(f"    _{name}" + (f"  ({', '.join(notes)})" if notes else ""))
    mapping = script.meta.get("input_mapping") or {}
    described = script.meta.get("input_description") or {}
    if mapping:
        lines.append("  flags:")
        for flag, key in mapping.items():
            about = described.get(flag) or {}
            text = about.get("desc", "") if isinstance(about, Mapping) else str(about)
            lines.append(f"    --{flag}  {text or f'sets {key}'}")
    lines.append("  flags of every script:")
    lines += [f"    --{option.name}  {option.help}" for option in options.OPTIONS.values() if option.available]
    sys.stdout.write("\n".join(lines) + "\n")


def _index_new_entries(cmind: Any, session: Session) -> None:
    """Adds new cache entries to cmind's index, under a lock and by one rename: cmind's own writing of the file is neither."""
    entries = [path for path in session.made if (path / "_cm.json").is_file()]
    index = getattr(cmind, "index", None)
    if not entries or index is None or not cmind.use_index:
        return
    from filelock import FileLock

    file = Path(index.full_path_to_index)
    with FileLock(session.cache.locks / "index.lock"):
        try:
            index.meta = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for path in entries:
            index.add(json.loads((path / "_cm.json").read_text(encoding="utf-8")), str(path), list(LOCAL_REPO), update=True)
        write_atomically(file, json.dumps(index.meta, indent=2))
        index.updated = False
