# SPDX-License-Identifier: Apache-2.0
"""The Python packages whose code takes part in a figure, and the versions that are installed."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

DECIDING = {
    "apache-tvm": "generates the inference code of the engine microtvm",
    "tflite": "reads models",
    "numpy": "computes accuracies; draws samples of data sets",
    "unicorn": "executes the firmware",
    "capstone": "decodes instructions for their cycles",
    "pyelftools": "reads images",
    "pyserial": "speaks to a real board",
    "pyyaml": "reads the tables",
}
NOT_DECIDING = {
    "cmind": "starts the steps; a lock file names it",
    "tflite-runtime": "compares results: of images after their build, and in tests",
    "ai-edge-litert": "compares results: of images after their build, and in tests",
    "tflite-micro": "compares results: of images after their build, and in tests",
    "requests": "fetches bytes that are compared by digest",
    "urllib3": "fetches bytes that are compared by digest",
    "jsonschema": "checks files",
    "rich": "draws progress",
    "click": "reads the command line of cm4tiny",
    "xlsxwriter": "writes tables of results",
}
"""What else this package requires, and why it changes no figure."""


def versions() -> dict[str, str]:
    """Version by package; a package that is not installed is left out."""
    found = {}
    for name in DECIDING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def extra_hint(extra: str) -> str:
    """How an extra of this package gets into the environment that runs, with the tool that made it: pipx, uv, or pip."""
    prefix = Path(sys.prefix)
    needed = _of_extra(extra)
    if needed and (prefix / "pipx_metadata.json").is_file():
        return f"add it:\npipx inject cm4tiny {shlex.join(needed)}"
    with_them = " ".join(f"--with {shlex.quote(name)}" for name in needed)
    if needed and (prefix / "uv-receipt.toml").is_file():
        return f"install it again with its extra; FROM is what it was installed from:\nuv tool install {with_them} FROM"
    if needed and any(re.fullmatch(r"(archive|builds|environments)-v\d+", part) for part in prefix.parts):
        return f"call it with its extra; FROM is what you name after --from:\nuvx {with_them} --from FROM cm4tiny"
    return f"install it:\npip install 'cm4tiny[{extra}]'\nor in the checkout:\npip install '.[{extra}]'"


def _of_extra(extra: str) -> list[str]:
    """What an extra requires; empty if this package was not installed."""
    try:
        listed = requires("cm4tiny") or []
    except PackageNotFoundError:
        return []
    found = (re.fullmatch(rf"([^;]+?)\s*;.*extra\s*==\s*['\"]{re.escape(extra)}['\"].*", row) for row in listed)
    return [match[1] for match in found if match is not None]
