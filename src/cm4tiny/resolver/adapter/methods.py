# SPDX-License-Identifier: Apache-2.0
"""The methods of upstream's ``script`` automation that ``customize.py`` files call as ``i['automation'].method({...})``.

Names, keys and return codes are upstream's (16: not found, nothing wrong). ``i['run_script_input']`` is the dictionary of
:mod:`~cm4tiny.resolver.run.hook_input`. Where upstream would ask which of several files to take, the first one is taken and reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import Cm4TinyError
from cm4tiny.resolver.adapter.finders import Finders
from cm4tiny.resolver.language import deps
from cm4tiny.resolver.language.environment import merge
from cm4tiny.resolver.language.host import os_info
from cm4tiny.resolver.language.versions import Wanted
from cm4tiny.resolver.plan.resolve import copied
from cm4tiny.resolver.run import hook_input, native

Answer = dict[str, Any]
OK: Answer = {"return": 0}
NOT_FOUND = 16
FAILED = 2


def wanted_of(env: Mapping[str, Any]) -> Wanted:
    """The versions that ``CM_VERSION*`` ask for."""
    return Wanted.of({}, env, {})


class Methods(Finders):
    """See the module.

    Args:
        note: prints a line for the user.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    # --- native scripts ----------------------------------------------------------------------------------------------------------
    def run_native_script(self, i: Answer) -> Answer:
        """Runs the native script ``script_name`` of the calling script with ``env``; ``env_tmp`` is the environment that it leaves."""
        given = i["run_script_input"]
        saved = {"env": copied(given.get("env", {})), "state": copied(given.get("state", {})), "script_name": given.get("script_name", "")}
        given["script_name"], given["env"] = i["script_name"], i.get("env") or {}
        try:
            answer = self._prepare_and_run(given, "detect_version" if i.get("detect_version") else "")
            answer["env_tmp"] = copied(given["env"])
        finally:
            given.update(saved)
        return answer

    def _prepare_and_run(self, given: Answer, hook: str) -> Answer:
        """Runs a native script if there is one and then ``hook`` of the calling script's ``customize.py``."""
        env, state, meta = given["env"], given["state"], given.get("meta") or {}
        named = str(given.get("script_name") or meta.get("script_name") or "").strip()
        file = native.find(Path(given["path"]), env, named or "run")
        if not given.get("script_name") and named and not file.is_file():
            return {"return": NOT_FOUND, "error": f"script {file} not found; its meta names it as script_name"}
        merge(env, given.get("const") or {})
        merge(state, given.get("const_state") or {})
        env["CM_TMP_CURRENT_SCRIPT_PATH"] = str(given["path"])
        env["CM_TMP_CURRENT_SCRIPT_WORK_PATH"] = str(Path.cwd())
        if file.is_file() and not given.get("reuse_cached"):
            self._note(f"call {file}")
            try:
                native.run(file, env, state, name=str(meta.get("alias", file.parent.name)), interactive=False)
            except Cm4TinyError as error:
                return {"return": FAILED, "error": str(error)}
        function = getattr(given.get("customize_code"), hook, None) if hook else None
        return OK.copy() if function is None else dict(function(hook_input.hook_input(given, env)))

    def _detected(self, given: Answer, env: Answer) -> tuple[Answer, str]:
        """Runs the native script and ``detect_version``; the answer, and the version if it is one that ``env`` accepts."""
        before, given["env"] = given.get("env"), env
        try:
            answer = self._prepare_and_run(given, "detect_version")
        finally:
            given["env"] = before
        version = str(answer.get("version") or "") if answer["return"] == 0 else ""
        wanted = wanted_of(env)
        if not version or version == "-1" or wanted.version not in ("", version) or not wanted.accepts(version):
            return answer, ""
        return answer, version

    def detect_version_using_script(self, i: Answer) -> Answer:
        """``detected_version`` as the script's ``detect_version`` finds it; return code 16 if there is none that ``env`` accepts."""
        _, version = self._detected(i["run_script_input"], i.get("env") or {})
        if not version:
            return {"return": NOT_FOUND, "error": "version was not detected"}
        return {"return": 0, "detected_version": version}

    def parse_version(self, i: Answer) -> Answer:
        """Finds a version in ``file_name`` (``tmp-ver.out``) by ``match_text``, and sets ``env_key`` and ``CM_DETECTED_VERSION``."""
        file = Path(i.get("file_name") or native.VERSION)
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            return {"return": NOT_FOUND, "error": f"version was not detected: {error}"}
        found = re.search(i["match_text"], text)
        if found is None:
            return {"return": 1, "error": f"version was not detected ({text})", "string": text}
        try:
            version = found.group(i["group_number"])
        except IndexError:
            last = found.lastindex
            return {"return": 1, "error": f"version was not detected: group {i['group_number']} is asked for, the last one is {last}"}
        i["which_env"].update({i["env_key"]: version, "CM_DETECTED_VERSION": version})
        return {"return": 0, "version": version, "string": text}

    # --- everything else -----------------------------------------------------------------------------------------------------------
    def update_deps(self, i: Answer) -> Answer:
        """Changes the dependencies ``deps`` by name with the entries of ``update_deps``, as ``adr`` does it."""
        deps.change({"deps": i["deps"]}, i["update_deps"], i.get("env") or {})
        return OK.copy()

    def clean_some_tmp_files(self, i: Answer) -> Answer:
        """Removes what a native script was started with from its working folder."""
        folder = str((i.get("env") or {}).get("CM_TMP_CURRENT_SCRIPT_WORK_PATH", ""))
        for name in ("tmp-run.bat", native.STATE):
            if folder and Path(folder, name).is_file():
                Path(folder, name).unlink()
        return OK.copy()

    def _available_variations(self, i: Answer) -> Answer:
        meta = i["meta"]
        names = " ".join(sorted(f"_{name}" for name in meta.get("variations") or ()))
        return {"return": 1, "error": f'python package variation is not defined in "{meta["alias"]}". Available: {names}'}

    def get_host_os_info(self, i: Answer) -> Answer:
        """``info``: upstream's ``os_info``."""
        return {"return": 0, "info": copied(os_info())}
