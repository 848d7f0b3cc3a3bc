# SPDX-License-Identifier: Apache-2.0
"""Finding files for scripts: upstream's ``find_artifact``, ``find_file_in_paths``, ``find_file_deep`` and ``find_file_back``."""

from __future__ import annotations

import glob
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cm4tiny.resolver.plan.resolve import copied

Answer = dict[str, Any]

#: Endings that upstream accepts after a name: ``gcc``, ``gcc-9``, ``gcc-12``, ``python3.11`` and so on.
_ENDINGS = (
    "", ".[0-9]", ".[0-9][0-9]", "-[0-9]", "-[0-9][0-9]", "[0-9]", "[0-9][0-9]", "[0-9].[0-9]", "[0-9][0-9].[0-9]", "[0-9][0-9].[0-9][0-9]",
)  # fmt: skip


class Finders(ABC):
    """The methods that look for files; what they need of native scripts comes from the class that inherits them."""

    _note: Callable[[str], None]

    @abstractmethod
    def _detected(self, given: Answer, env: Answer) -> tuple[Answer, str]:
        """Runs the native script and ``detect_version``; the answer, and the version if it is one that ``env`` accepts."""

    def find_artifact(self, i: Answer) -> Answer:
        """Finds ``file_name`` in ``CM_TMP_PATH``, in the folder of ``CM_INPUT``, or in the variable ``default_path_env_key``.

        A path outside the default ones is put in front of ``+<default_path_env_key>``. With ``detect_version`` only files whose version
        ``env`` accepts count.

        Returns:
            ``found_path``, ``found_file_path``, ``found_file_name``, ``default_path_list``; return code 16 if the file does not exist.
        """
        env, separator, name = i["env"], i["os_info"]["env_separator"], i["file_name"]
        paths = str(env.get("CM_TMP_PATH") or "")
        if paths and env.get("CM_TMP_PATH_IGNORE_NON_EXISTANT", "") != "yes":
            for path in paths.split(separator):
                if path.strip() and not Path(path).is_dir():
                    return {"return": 1, "error": f"path {path} doesn't exist"}
        forced = str(env.get("CM_INPUT") or "").strip()
        if forced:
            if not Path(forced).is_file():
                return {"return": 1, "error": f"file {forced} doesn't exist"}
            paths, name = os.path.split(forced)
            paths = paths or "."
        defaults = self.get_default_path_list(i)
        given = i.get("run_script_input") or {}
        state = copied(given.get("state", {}))
        answer = self.find_file_in_paths({
            "paths": list(dict.fromkeys(paths.split(separator) if paths else defaults)), "file_name": name, "select": True,
            "select_default": True, "detect_version": i.get("detect_version", False), "env_path_key": i.get("env_path_key", ""),
            "env": copied(env), "hook": i.get("hook"), "run_script_input": given,
        })  # fmt: skip
        if given:
            given["state"] = state
        if answer["return"] > 0:
            return answer
        if not answer["found_files"]:
            return {"return": 16, "error": f"{name} not found"}
        return self._found(i, answer["found_files"][0], defaults)

    def _found(self, i: Answer, file: str, defaults: list[str]) -> Answer:
        env, key = i["env"], f"+{i.get('default_path_env_key', '')}"
        folder, name = os.path.split(file)
        if folder not in defaults:
            paths = list(env.get(key) or ())
            if folder not in paths:
                env[key] = [folder, *paths]
            for extra, extra_key in (i.get("extra_paths") or {}).items():
                place = os.path.normpath(os.path.join(folder, "..", extra))  # noqa: PTH118 - links must stay as they are
                if Path(place).exists():
                    env[extra_key] = [*(env.get(extra_key) or ()), place]
        if i.get("env_path_key"):
            env[i["env_path_key"]] = file
        return {"return": 0, "found_path": folder, "found_file_path": file, "found_file_name": name, "default_path_list": defaults}

    def find_file_in_paths(self, i: Answer) -> Answer:
        """``found_files`` below ``paths``: ``file_name`` with the usual endings for versions, or ``file_name_re``, each file once.

        Args:
            i: ``paths``, ``file_name`` or ``file_name_re``, and optionally ``hook`` (a function that says which files to skip), ``select``
                (keep one), ``detect_version`` with ``run_script_input``, ``env`` and ``env_path_key`` (keep those that ``env`` accepts).
        """
        found: list[str] = []
        for file in self._named(i):
            if any(_same(file, other) for other in found):
                continue
            if i.get("hook") is not None:
                answer = i["hook"]({"file": file})
                if answer["return"] > 0:
                    return dict(answer)
                if answer["skip"]:
                    continue
            found.append(file)
        if i.get("select") and i.get("detect_version"):
            answer, found = self._accepted(i, found)
            if answer["return"] > 0:
                return answer
        if i.get("select") and len(found) > 1:
            self._note(f"{len(found)} files fit ({', '.join(found)}); taking the first one")
            found = found[:1]
        return {"return": 0, "found_files": found}

    def _accepted(self, i: Answer, files: list[str]) -> tuple[Answer, list[str]]:
        """The files whose version ``env`` accepts; an answer with a return code above 0 ends the search."""
        accepted = []
        for file in files:
            env = i.get("env") or {}
            env[i["env_path_key"]] = file
            answer, version = self._detected(i["run_script_input"], env)
            if answer["return"] not in (0, 2):
                return answer, []
            if version:
                accepted.append(file)
        return {"return": 0}, accepted

    def _named(self, i: Answer) -> Iterator[str]:
        pattern = i.get("file_name_re", "")
        if not pattern and not i.get("file_name"):
            raise ValueError("file_name or file_name_re not specified in find_artifact")
        for path in i["paths"]:
            if not path or not Path(path).is_dir():
                continue
            if pattern:
                yield from (str(Path(path, name)) for name in sorted(os.listdir(path)) if re.match(pattern, name))  # noqa: PTH208
            else:
                for ending in _ENDINGS:
                    yield from sorted(glob.glob(glob.escape(path.rstrip("/") + "/") + i["file_name"] + ending))  # noqa: PTH207 - names may hold patterns

    def get_default_path_list(self, i: Answer) -> list[str]:
        """The folders of the variable ``default_path_env_key`` of the operating system."""
        key = i.get("default_path_env_key", "")
        return os.environ.get(key, "").split(i["os_info"]["env_separator"]) if key else []

    def find_file_deep(self, i: Answer) -> Answer:
        """``found_paths``: the folders below ``paths`` that hold ``file_name``, restricted to those with a part of ``restrict_paths``."""
        found: list[str] = []
        for top in i["paths"]:
            for folder, folders, files in os.walk(top):
                folders.sort()
                if i["file_name"] in files:
                    found.append(folder)
        parts = i.get("restrict_paths") or []
        return {"return": 0, "found_paths": [path for path in found if not parts or any(part in path for part in parts)]}

    def find_file_back(self, i: Answer) -> Answer:
        """``found_path``: the nearest folder from ``path`` upwards that holds the file ``file_name``; empty if there is none."""
        start = Path(i["path"])
        found = next((str(folder) for folder in (start, *start.parents) if (folder / i["file_name"]).is_file()), "")
        return {"return": 0, "found_path": found if i["path"] else ""}


def _same(first: str, second: str) -> bool:
    try:
        return Path(first).samefile(second)
    except OSError:
        return False
