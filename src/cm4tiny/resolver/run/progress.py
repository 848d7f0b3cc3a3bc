# SPDX-License-Identifier: Apache-2.0
"""What the resolver reports to the event stream: the common events, with the script's command and its place in the tree."""

from __future__ import annotations

from dataclasses import dataclass

from cm4tiny.events import Event, Finished, Message, Started


@dataclass(frozen=True)
class ScriptStarted(Started):
    """A script begins. ``command`` is how a user would start it, ``depth`` is 0 for the first one."""

    command: str = ""
    depth: int = 0


@dataclass(frozen=True)
class ScriptFinished(Finished):
    """A script ended well. ``cached`` is True if its result came from the cache."""

    depth: int = 0
    seconds: float = 0.0
    cached: bool = False


@dataclass(frozen=True)
class ScriptNote(Message):
    """A line about a script: ``detail`` is True for what only ``-v`` shows."""

    depth: int = 0
    detail: bool = False


@dataclass(frozen=True)
class EntryTaken(Event):
    """A result came from the cache. Nobody shows it; a recording of a worker needs to know the entry's key."""

    key: str = ""


@dataclass(frozen=True)
class RunsAhead(Event):
    """How far a script is that runs in another process before its turn: what it reports there, as it comes.

    At its turn the same is reported again, from the recording; who shows lines leaves this out.
    """

    worker: int = 0
    event: Event | None = None
