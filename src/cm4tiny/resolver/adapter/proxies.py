# SPDX-License-Identifier: Apache-2.0
"""What scripts see of cmind: ``i['automation']`` and its ``cmind``.

Runs of scripts come back to this engine, so a script's own calls do not depend on which ``script`` automation is registered first. What
upstream's other automations do for scripts (``utils``, ``cache``, artifacts of ``experiment`` and ``cfg``) is done here where they are
not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cm4tiny.errors import NotAvailableError
from cm4tiny.resolver.adapter.cache_actions import remove_cache, search_cache, show_cache
from cm4tiny.resolver.adapter.methods import Methods
from cm4tiny.resolver.catalogue.repository import SCRIPT_AUTOMATION
from cm4tiny.resolver.run.progress import ScriptNote
from cm4tiny.resolver.run.session import Session

#: Runs a script in this process: cmind's input in, cmind's answer out.
Runner = Callable[[Mapping[str, Any]], dict[str, Any]]
Answer = dict[str, Any]

#: Upstream's automations whose artifacts scripts use: alias -> uid.
KNOWN = {
    "utils": "dc2743f8450541e3", "cache": "541d6f712a6b464e", "experiment": "a0a2d123ef064bcb", "cfg": "88dce9c160324c5d",
    "contributor": "68eae17b590d4f8f", "report": "6462ecdba2054467", "challenge": "3d84abd768f34e08",
}  # fmt: skip

_FIND = ("find", "search", "list", "ls")
_REMOVE = ("rm", "delete", "remove")
#: Actions that cmind has for the artifacts of every automation.
_COMMON = (*_FIND, *_REMOVE, "add", "update", "load", "copy", "cp", "move", "mv", "ren", "rename")


def parsed(name: str) -> tuple[str, str]:
    """Alias and uid of ``repo:alias,uid``, ``alias,uid``, ``alias`` or ``uid``; the repository is left out."""
    alias, _, uid = name.rpartition(":")[2].partition(",")
    return alias.strip(), uid.strip()


def is_script_automation(name: str) -> bool:
    """True for every way to write upstream's ``script`` automation or ours."""
    names = parsed(name)
    return SCRIPT_AUTOMATION[1] in names or names[0] in ("script", "tinyscript")


class CmindProxy:
    """cmind as a script sees it."""

    def __init__(self, cmind: Any, run: Runner) -> None:
        self._cmind = cmind
        self._run = run
        self._registered: dict[str, bool] = {}
        self.cmind = cmind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cmind, name)

    def access(self, i: Any, out: Any = None) -> Any:
        """cmind's ``access``."""
        if not isinstance(i, Mapping):
            return self._cmind.access(i, out)
        name, action = str(i.get("automation", "")), str(i.get("action", ""))
        if is_script_automation(name) and action == "run":
            return self._run(i)
        alias, uid = parsed(name)
        known = alias if alias in KNOWN else next((key for key, value in KNOWN.items() if value in (alias, uid)), "")
        if known == "cache" and action in (*_FIND, "show", *_REMOVE):
            call = remove_cache if action in _REMOVE else show_cache if action == "show" else search_cache
            return call(self, dict(i))
        if known and not self._is_registered(known):
            return self._stand_in(known, action, dict(i))
        return self._cmind.access(i, out)

    def _is_registered(self, alias: str) -> bool:
        if alias not in self._registered:
            answer = self._cmind.access(
                {"action": "find", "automation": "automation,bbeb15d8f0a944a4", "artifact": f"{alias},{KNOWN[alias]}"}
            )
            self._registered[alias] = answer["return"] == 0 and bool(answer["list"])
        return self._registered[alias]

    def _stand_in(self, known: str, action: str, i: Answer) -> Any:
        from cm4tiny.resolver.adapter import utils_actions

        if known == "utils" and action in utils_actions.ACTIONS:
            try:
                return utils_actions.ACTIONS[action](i)
            except KeyError as error:
                return {"return": 1, "error": f"'{action}' of the automation 'utils' needs the key {error}"}
        if known == "utils" and action == "load_cfg":
            return utils_actions.load_cfg(i, lambda given: self._stand_in("cfg", "find", {**given, "action": "find"}))
        if known != "utils" and action in _COMMON:
            return self._cmind.access({**i, "automation": f"{known},{KNOWN[known]}", "common": True})
        absent = NotAvailableError(
            f"the automation '{known}' with the action '{action}' is not installed",
            why="it belongs to upstream's repository",
            hint="install it:\npip install cmx4mlops",
        )
        return absent.as_cm()


class AutomationProxy(Methods):
    """What a script gets as ``i['automation']``."""

    def __init__(self, automation: Any, session: Session, run: Runner) -> None:
        super().__init__(self._tell)
        self._automation = automation
        self._session = session
        self.cmind = CmindProxy(automation.cmind, run)
        self.meta = dict(automation.meta, uid=SCRIPT_AUTOMATION[1])
        self.path = automation.path
        self.events = session.events

    def _tell(self, text: str) -> None:
        session = self._session
        name = session.chain[-1][0].script.alias if session.chain else "script"
        session.events.emit(ScriptNote(name, text, "info", depth=max(0, len(session.chain) - 1)))

    def run(self, i: Answer) -> Any:
        """A script run in this process."""
        return self.cmind.access({**i, "action": "run", "automation": "script"})

    def search(self, i: Answer) -> Any:
        """Finds scripts: cmind's ``find``."""
        return self.cmind.access({**i, "action": "find", "automation": ",".join(SCRIPT_AUTOMATION)})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotAvailableError(
            f"the script automation has no method '{name}'",
            why="upstream's may have it, this engine has not",
            hint="run the script with upstream's automation:\ncm run script,5b4e0237da074764",
        )
