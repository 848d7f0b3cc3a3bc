# SPDX-License-Identifier: Apache-2.0
"""cmind's input of ``cm run script``: from what the user typed to flags, and from flags to a request."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cm4tiny.errors import UsageError
from cm4tiny.resolver.language import options
from cm4tiny.resolver.language.environment import merge
from cm4tiny.resolver.language.meta import load_meta
from cm4tiny.resolver.plan.resolve import Request, copied, new_request

_UID = re.compile(r",[0-9a-f]{16}$")
_CHANGES = ("adr", "add_deps_recursive", "ad", "add_deps")


def with_tags(i: Mapping[str, Any]) -> dict[str, Any]:
    """The input with ``cm run script "get compiler"`` and a second artifact turned into tags, and an alias into ``script_name``.

    cmind reads ``cmr get,compiler`` as an alias and a uid; what is not a uid was meant as a tag. It refuses three words by itself.
    """
    flags = dict(i)
    artifact = str(flags.get("artifact") or "")
    words = [str(flags.get("tags") or "")]
    if " " in artifact or ("," in artifact and not _UID.search(artifact)):
        words = [artifact.replace(" ", ",")]
    elif artifact:
        parsed = flags.get("parsed_artifact") or [(artifact, "")]
        alias, uid = parsed[0][0], parsed[0][1]
        flags["script_name"] = f"{alias},{uid}" if alias and uid else alias or uid
    for other in flags.get("artifacts") or ():
        words.append(str(other).replace(" ", ","))
    flags["tags"] = ",".join(word for word in words if word)
    return flags


def with_default_config(flags: dict[str, Any], cmind: Any) -> dict[str, Any]:
    """Adds the defaults of the artifact ``cfg,default``: the key ``script`` of its ``config.json``. What the user typed wins.

    Raises:
        MetaError: the file cannot be read.
    """
    for repo in cmind.repos.lst:
        file = Path(getattr(repo, "path_with_prefix", "") or repo.path) / "cfg" / "default" / "config.json"
        if file.is_file():
            given = load_meta(file).get("script")
            return merge(copied(given), flags) if isinstance(given, dict) else flags
    return flags


def with_extra_command(flags: dict[str, Any]) -> dict[str, Any]:
    """Adds the flags of the variable ``CM_SCRIPT_EXTRA_CMD``."""
    extra = os.environ.get("CM_SCRIPT_EXTRA_CMD", "").strip()
    if extra:
        from cmind.cli import parse

        answer = parse(extra)
        if answer["return"] == 0:
            given = {key: value for key, value in answer["cm_input"].items() if key not in ("cmd", "action", "automation")}
            merge(flags, given)
    return flags


def _check_shapes(flags: Mapping[str, Any]) -> None:
    for name in ("env", "const", "state", "const_state", *_CHANGES):
        value = flags.get(name) or {}
        if not isinstance(value, Mapping):
            raise UsageError(f"--{name} is a group of keys, not a value", why=f"it is {value!r}", hint=f"write --{name}.KEY=VALUE")
        for dep, entry in value.items() if name in _CHANGES else ():
            if not isinstance(entry, Mapping):
                hint = f"write --{name}.{dep}.KEY=VALUE, e.g. --{name}.{dep}.version=1.0"
                raise UsageError(f"--{name}.{dep} says no key to change", why=f"it is {entry!r}", hint=hint)


def request_of(flags: Mapping[str, Any]) -> Request:
    """The request that flags make.

    Raises:
        UsageError: a group of keys, such as ``--env``, was given a value.
    """
    _check_shapes(flags)
    request = new_request({key: value for key, value in flags.items() if key not in options.FROM_CMIND and key != "script_name"})
    request.name = str(flags.get("script_name") or "")
    return request
