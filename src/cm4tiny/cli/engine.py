# SPDX-License-Identifier: Apache-2.0
"""The script engine as a library: this package's own repository, the cache of the CM home, nothing registered."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cm4tiny.disk import disk_full, is_full
from cm4tiny.errors import Cm4TinyError, UsageError
from cm4tiny.events import EventStream
from cm4tiny.network import OFFLINE_VARIABLE, offline_as
from cm4tiny.paths import cm_repo
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories
from cm4tiny.resolver.language.meta import Script


def own_scripts() -> ScriptStore:
    """The steps of this package; nothing is written."""
    return ScriptStore(own_repositories())


def script_of(alias: str) -> Script:
    """The step with this name."""
    return own_scripts().find(alias)[0]


class StepRun:
    """One run of a step of this package, as ``cm run script`` would do it.

    The cache is that of the CM home (``CM_REPOS``, else ``~/CM``), so that both commands share results; neither CM's list of repositories
    nor its index is read or written.

    Args:
        flags: tags, and the step's flags by name.
        events: receives what happens.
        verbose: report details.
    """

    def __init__(self, flags: Mapping[str, Any], events: EventStream, *, verbose: bool = False) -> None:
        from cm4tiny.resolver.adapter.nested import attach
        from cm4tiny.resolver.run.session import cm_home, new_session

        self.home = cm_home().absolute()
        self._flags = {name: value for name, value in flags.items() if name != "offline"}
        self._network = {OFFLINE_VARIABLE: "yes"} if flags.get("offline") else {}
        self._session = new_session(self.home, own_repositories(), events=events, verbose=verbose)
        attach(self._session, str(cm_repo() / "automation" / "script"))

    def plan(self) -> dict[str, Any]:
        """The plan, as nested dictionaries, after everything that is checked before a run.

        Raises:
            Cm4TinyError: of the class that says what is wrong; nothing ran.
        """
        from cm4tiny.resolver.adapter.command import checked_plan

        _require_writable(self.home)
        return self._guarded(lambda: checked_plan(self._session, self._flags))

    def run(self) -> dict[str, Any]:
        """Runs the step, or shows its plan if that is asked for; returns cmind's answer.

        Raises:
            Cm4TinyError: of the class that says what went wrong.
        """
        from cm4tiny.resolver.adapter.command import carry_out

        return self._guarded(lambda: carry_out(self._session, self._flags))

    def _guarded(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        from cm4tiny.resolver.adapter.nested import internal_error
        from cm4tiny.resolver.run.signals import terminable

        try:
            with terminable(), offline_as(self._network):
                return work()
        except Cm4TinyError:
            raise
        except OSError as error:
            if is_full(error):
                raise disk_full("the run", error.strerror or str(error), self._session.cache.root) from error
            raise Cm4TinyError(
                f"the operating system refused access to {error.filename}",
                why=error.strerror or str(error),
                hint="check the permissions, or choose other directories (--outdirname=DIR, CM_REPOS, CM_TINY_CACHE)",
            ) from error
        except Exception as error:
            raise internal_error(error, self._session) from error


def _require_writable(home: Path) -> None:
    """Raises UsageError if the CM home cannot be written: a run would find that out after its first build."""
    place = home / "cm4tiny"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        if is_full(error):
            raise disk_full("the run", error.strerror or str(error), home) from error
        raise UsageError(
            f"{home} cannot be written",
            why=f"it is where results are cached; {error.strerror or error}",
            hint="set CM_REPOS (and CM_TINY_CACHE) to directories that you may write, or HOME",
        ) from error
