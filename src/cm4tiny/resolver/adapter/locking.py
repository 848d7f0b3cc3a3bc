# SPDX-License-Identifier: Apache-2.0
"""``--lock``, ``--locked`` and ``--ro_crate`` of a command: what happens before and after its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cm4tiny.errors import UsageError
from cm4tiny.resolver.adapter.plan_view import plan_of
from cm4tiny.resolver.language.environment import merge
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.language.options import CommandOptions
from cm4tiny.resolver.plan.resolve import Request, copied, pick, resolve
from cm4tiny.resolver.run.session import Session
from cm4tiny.resolver.store.lock_request import check_request
from cm4tiny.resolver.store.lockfile import Lock, request_part, unique, write
from cm4tiny.resolver.store.provenance import SECRET
from cm4tiny.settings import is_on

LOCK_FILE_KEY = "CM_LOCK_FILE"
"""Env key with the path of the lock file that the run will leave, so that a report can link to it."""


@dataclass
class Locking:
    """What one command has to do with lock files.

    Args:
        session: of the command.
        request: what was asked for, as a lock file holds it.
        target: the lock file to write; None writes none.
        crate: write an RO-Crate next to it.
    """

    session: Session
    request: dict[str, Any]
    target: Path | None
    crate: bool

    def finish(self) -> list[str]:
        """Writes and compares after a run that ended well; lines for the user."""
        records, lines = unique(self.session.records), []
        if self.session.locked is not None:
            differences = self.session.locked.files(records)
            lines += [f"warning: another result than in the lock file: {difference}" for difference in differences]
        if self.target is not None:
            content = write(self.target, self.request, records, self.session.store.repositories)
            lines.append(f"lock file: {self.target} ({len(records)} scripts, digest {content['digest'][:16]})")
            if self.crate:
                from cm4tiny.resolver.store.ro_crate import write_crate

                lines.append(f"RO-Crate: {write_crate(self.target, content)}")
        return lines


def flags_of_lock(flags: Mapping[str, Any], locked: str, session: Session) -> dict[str, Any]:
    """The flags, with the request of the lock file where the user named no script: ``cm run script --locked=FILE``.

    Args:
        flags: of the command.
        locked: the lock file; empty: there is none.
        session: of the command.

    Raises:
        LockError: the lock file cannot be read, or asks for more than it may (:mod:`~cm4tiny.resolver.store.lock_request`).
    """
    if not locked or flags.get("tags") or flags.get("script_name"):
        return dict(flags)
    lock = Lock.read(_path(locked))
    request: dict[str, Any] = session.places.local(lock.content["request"])
    for part in ("flags", "env", "const"):
        request[part] = {key: value for key, value in request.get(part, {}).items() if value != SECRET}
    check_request(request, lock.scripts(session.store), lock.file)
    found: dict[str, Any] = {**request.pop("flags", {}), **request}
    name = found.pop("name", "")
    if name:
        found["script_name"] = name
    return merge(found, {key: value for key, value in flags.items() if key != "tags"})


def show_difference(session: Session, locked: str, request: Request) -> None:
    """With ``--plan``: refuses a plan that is not the lock file's, after it was shown; nothing has run.

    Raises:
        LockError: with all differences.
    """
    lock = Lock.read(_path(locked))
    lock.check(request_part(request, session.places), session.store, plan_of(session, request))


def prepare(session: Session, options: CommandOptions, script: Script, request: Request) -> Locking | None:
    """Reads and checks before a run; None if the command has nothing to do with lock files.

    Raises:
        LockError: the run is not the one of the lock file.
        UsageError: the flags do not go together.
    """
    if not options.lock and not options.locked:
        if options.ro_crate:
            raise UsageError("--ro_crate describes a lock file", hint="give --lock=FILE as well")
        return None
    if request.options.pretends:
        pretended = next(name for name in ("fake_run", "prepare", "fake_deps") if is_on(request.inputs.get(name)))
        raise UsageError(f"--lock and --locked need a real run, and --{pretended} pretends one", hint="leave one of them out")
    asked = request_part(request, session.places)
    if options.locked:
        lock = Lock.read(_path(options.locked))
        _, query = pick(session.store, request, quiet=session.quiet)
        trial = replace(request, env=copied(request.env), state=copied(request.state))
        lock.check(asked, session.store, session.planner.plan(resolve(script, query, trial)))
        session.locked = lock
        for difference in lock.host():
            session.events.message("lock", f"another host than in the lock file: {difference}")
    target = _path(options.lock) if options.lock else None
    if target is not None:
        request.env[LOCK_FILE_KEY] = str(target)
    return Locking(session, asked, target, options.ro_crate)


def _path(name: str) -> Path:
    return (Path.cwd() / name).absolute()
