# SPDX-License-Identifier: Apache-2.0
"""The edge to CM: cmind's dictionaries in, cmind's ``{'return': n}`` out.

Inside the engine errors are raised; here they become return values, which cmind prints. Nothing here decides anything about scripts.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cm4tiny.errors import Cm4TinyError, UsageError, nearest
from cm4tiny.events import EventStream
from cm4tiny.resolver.adapter import plan_view
from cm4tiny.resolver.adapter.cm_index import index_new_entries
from cm4tiny.resolver.adapter.command_input import request_of, with_default_config, with_extra_command, with_tags
from cm4tiny.resolver.adapter.console import Console
from cm4tiny.resolver.adapter.early import check_run, checked_flags
from cm4tiny.resolver.adapter.help_text import write_help
from cm4tiny.resolver.adapter.nested import answer_of, as_cm, give_automation, guarded
from cm4tiny.resolver.catalogue.repository import SCRIPT_AUTOMATION, own_repositories, repositories_of
from cm4tiny.resolver.catalogue.suggestions import flags_of
from cm4tiny.resolver.language.host import os_info
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.language.options import CommandOptions, parse, with_home
from cm4tiny.resolver.language.versions import Wanted
from cm4tiny.resolver.plan.resolve import Request, pick
from cm4tiny.resolver.run.runner import run
from cm4tiny.resolver.run.session import Session, new_session
from cm4tiny.resolver.run.signals import Terminated, terminable
from cm4tiny.resolver.workers.pool import jobs_of, use_workers
from cm4tiny.standard_output import ReaderGone, guarded_output, stdout_to_stderr

if TYPE_CHECKING:
    from cm4tiny.resolver.adapter.locking import Locking

#: Exit status of a command that Ctrl-C ended.
INTERRUPTED = 130
#: Exit status of a command whose output nobody reads any more, as after SIGPIPE.
READER_GONE = 141
#: Exit status of a command that SIGTERM ended.
TERMINATED = 143


def run_automation(automation: Any, i: dict[str, Any], events: EventStream | None = None) -> dict[str, Any]:
    """``cm run script``: the whole command.

    Args:
        automation: cmind's automation object.
        i: cmind's input.
        events: receives what happens; by default a console if the output is one.

    Returns:
        ``return``, ``env``, ``new_env``, ``state``, ``new_state``, ``deps``, ``version``, ``cached``; or ``return`` > 0 and ``error``.
    """
    console = i.get("out") == "con"
    if not console:
        return _run_automation(automation, i, events, console)
    try:
        with guarded_output():
            return _run_automation(automation, i, events, console)
    except ReaderGone:
        raise SystemExit(READER_GONE) from None
    except Cm4TinyError as error:
        return error.as_cm()


def _run_automation(automation: Any, i: dict[str, Any], events: EventStream | None, console: bool) -> dict[str, Any]:
    session = None
    try:
        flags = with_extra_command(with_default_config(with_tags(i), automation.cmind))
        as_json = parse(CommandOptions, flags).json
        session = open_session(automation, flags, events, console)
        if session.verbose:
            _tell_engine(session)
        with terminable(), stdout_to_stderr() if as_json else contextlib.nullcontext():
            answer = guarded(lambda: carry_out(session, flags), session)
        index_new_entries(automation.cmind, session.created, session.cache.locks)
    except Cm4TinyError as error:
        return as_cm(error, session)
    except KeyboardInterrupt as ended:
        if not console:
            raise
        if isinstance(ended, ReaderGone):
            raise
        by_signal = isinstance(ended, Terminated)
        sys.stderr.write("\nended by SIGTERM\n" if by_signal else "\ninterrupted\n")
        raise SystemExit(TERMINATED if by_signal else INTERRUPTED) from None
    if as_json:
        sys.stdout.write(json.dumps(answer, indent=2, default=str) + "\n")
    return answer


def open_session(automation: Any, flags: Mapping[str, Any], events: EventStream | None, console: bool) -> Session:
    """A session on cmind's home, with its repositories and this project's own."""
    options = parse(CommandOptions, flags)
    verbose = options.verbose and not options.silent
    env = flags.get("env") if isinstance(flags.get("env"), Mapping) else {}
    quiet = options.quiet or str((env or {}).get("CM_QUIET", "")).lower() == "yes"
    if events is None:
        events = EventStream()
        if console and not options.silent:
            events.subscribe(Console(sys.stdout, verbose=verbose, times=options.time))
    cmind = automation.cmind
    session = new_session(
        Path(cmind.repos_path).absolute(),
        repositories_of(cmind.repos.lst, own_repositories()),
        events=events,
        quiet=quiet,
        silent=options.silent,
        verbose=verbose,
        interactive=not quiet and _is_terminal(),
    )
    give_automation(session, automation)
    return session


def _tell_engine(session: Session) -> None:
    """Says which engine runs, where another repository has one as well."""
    others = [
        place.alias or str(place.path)
        for place in session.store.repositories
        if not place.own and (place.scripts_root / "automation" / "script" / "module.py").is_file()
    ]
    if others:
        named = ", ".join(others)
        session.events.message("engine", f"cm4tiny's engine runs; cm run script,{SCRIPT_AUTOMATION[1]} means the one of {named}")


def _is_terminal() -> bool:
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:
        return False


@dataclass(frozen=True)
class _Command:
    """A command, read from its flags once.

    Args:
        flags: as they were given, known and checked; for files that write them down.
        console: what it prints is shown.
    """

    session: Session
    script: Script
    request: Request
    options: CommandOptions
    flags: Mapping[str, Any]
    console: bool

    @classmethod
    def read(cls, session: Session, flags: Mapping[str, Any]) -> _Command:
        """Raises UsageError, LockError or what :func:`pick` raises."""
        flags = with_home(flags)
        locked = parse(CommandOptions, flags).locked
        if locked:
            from cm4tiny.resolver.adapter.locking import flags_of_lock

            flags = with_home(flags_of_lock(flags, locked, session))
        script, _ = pick(session.store, request_of(flags), quiet=session.quiet)
        options = parse(CommandOptions, flags)
        flags = checked_flags(session, script, flags, defaults=not (options.help or options.plan))
        request = request_of(flags)
        Wanted.of(flags, {}, {}).check_exact(script.alias)
        session.planner.user_env.update({**request.env, **request.const})
        return cls(session, script, request, parse(CommandOptions, flags), flags, flags.get("out") == "con")

    def show(self, *lines: str) -> None:
        """Prints lines on a console."""
        if self.console:
            sys.stdout.write("".join(f"{line}\n" for line in lines))


def carry_out(session: Session, flags: Mapping[str, Any]) -> dict[str, Any]:
    """What a command asks for by its flags: help, a plan or a run, with everything that is checked before it.

    Raises:
        Cm4TinyError: of the class that says what went wrong.
    """
    command = _Command.read(session, flags)
    if command.options.help:
        write_help(command.script)
        return {"return": 0, "skip_delayed_help": True}
    return _plan(command) if command.options.plan else _run(command)


def checked_plan(session: Session, flags: Mapping[str, Any]) -> dict[str, Any]:
    """What a run of these flags would do, as ``--plan --json`` shows it, after everything that is checked before a run; nothing runs.

    Raises:
        Cm4TinyError: as :func:`carry_out` would before anything ran.
    """
    command = _Command.read(session, flags)
    check_run(session, command.script, command.request)
    plan: dict[str, Any] = plan_view.show(session, command.request, console=False, as_json=True)["plan"]
    return plan


def _plan(command: _Command) -> dict[str, Any]:
    session, options = command.session, command.options
    answer = plan_view.show(session, command.request, console=command.console, as_json=options.json)
    if options.locked:
        from cm4tiny.resolver.adapter.locking import show_difference

        show_difference(session, options.locked, command.request)
    return answer


def _run(command: _Command) -> dict[str, Any]:
    """The run, with what is prepared before it and printed or written after it."""
    session, options, script, request = command.session, command.options, command.script, command.request
    planned = plan_view.commands(plan_view.plan_of(session, request)) if options.print_deps else None
    use_workers(session, jobs_of(options.jobs, options.scheduler, own_meaning="jobs" in flags_of(script)), options.scheduler)
    if options.shell and not _is_terminal():
        raise UsageError("--shell needs a terminal", hint="use --save_env and source tmp-env.sh")
    check_run(session, script, request)
    session.cache.thorough = options.check_cache
    locking = _locking(command)
    _set_debugging(command)
    free = _free_bytes(session) if options.space else 0
    answer = _recorded(command) if options.repro else answer_of(run(session, request))
    if answer["return"] > 0:
        return answer
    _warn_about_names(session, request)
    for text in session.store.warnings:
        session.events.message("metas", text, "warning")
    if planned is not None:
        answer["new_state"] = {**answer["new_state"], "print_deps": [line for _, line in planned]}
        command.show(*(f"{'  ' * depth}{line}" for depth, line in planned))
    if command.console and not session.silent:
        _write_final_env(session, script, answer["new_env"])
    if options.space:
        command.show(f"used disk space: {max(0, free - _free_bytes(session)) / 1e6:.0f} MB")
    _leave(command, answer)
    if locking is not None:
        lines = locking.finish()
        answer["lock"] = str(locking.target or "")
        command.show(*lines)
    return answer


def _recorded(command: _Command) -> dict[str, Any]:
    """The run with ``--repro``: its files are written whatever becomes of it."""
    from cm4tiny.resolver.adapter.run_files import Repro

    repro = Repro(Path.cwd(), command.flags, command.options)
    answer = guarded(lambda: answer_of(run(command.session, command.request)), command.session)
    repro.finish(answer, command.session.version_info, command.script)
    return answer


def _locking(command: _Command) -> Locking | None:
    if not command.options.locks:
        return None
    from cm4tiny.resolver.adapter.locking import prepare

    return prepare(command.session, command.options, command.script, command.request)


def _free_bytes(session: Session) -> int:
    """Free space where the cache lies."""
    import shutil

    place = next(folder for folder in (session.cache.root, *session.cache.root.parents) if folder.exists())
    return shutil.disk_usage(place).free


def _set_debugging(command: _Command) -> None:
    session, options, request = command.session, command.options, command.request
    session.debug_tags = frozenset(tag for tag in options.debug_script_tags.split(",") if tag)
    if options.debug_script:
        session.debug_tags = command.script.tags
    if options.debug_uid:
        request.env["CM_TMP_DEBUG_UID"] = options.debug_uid
    request.env.update(os_info()["env"])


def _leave(command: _Command, answer: Mapping[str, Any]) -> None:
    if command.options.leaves_files:
        from cm4tiny.resolver.adapter.run_files import command_of, leave

        typed = command_of(command.flags)
        command.show(*leave(command.options, typed, Path.cwd(), command.script, answer, command.session.version_info))
    if command.options.pause and command.console and _is_terminal():
        input("Press Enter to continue ...")


def _warn_about_names(session: Session, request: Request) -> None:
    given = [(key, str(name)) for key in ("adr", "add_deps_recursive") for name in request.inputs.get(key) or ()]
    unknown = [(key, name) for key, name in given if name not in session.dep_names]
    if not unknown:
        return
    known = set(session.dep_names)
    if session.any_hit:
        with contextlib.suppress(Cm4TinyError):
            known.update(name for _, dep in plan_view.plan_of(session, request).edges() for name in dep.names)
    for key, name in unknown:
        if name not in known:
            text = f"--{key}.{name} changed nothing: no dependency has this name; {nearest(name, sorted(known))}".rstrip("; ")
            session.events.message("adr", text, "warning")


def _write_final_env(session: Session, script: Script, new_env: Mapping[str, Any]) -> None:
    for key, text in sorted((script.meta.get("print_env_at_the_end") or {}).items()):
        session.events.message(script.alias, f"{text or f'ENV[{key}]'}: {new_env.get(key)}")
