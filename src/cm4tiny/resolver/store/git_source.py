# SPDX-License-Identifier: Apache-2.0
"""Where a git checkout comes from and at which commit it stands, read from its files without a process."""

from __future__ import annotations

import re
from pathlib import Path


def git_source(folder: Path) -> dict[str, str] | None:
    """``{"url": ..., "commit": ...}`` of a folder that is the root of a checkout; None for any other."""
    place = folder / ".git"
    try:
        if place.is_file():  # a worktree or a submodule
            text = place.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
            place = (folder / text).resolve()
        if not (place / "HEAD").is_file():
            return None
        common = place / "commondir"
        shared = (place / common.read_text(encoding="utf-8").strip()).resolve() if common.is_file() else place
        commit = _commit(place, shared)
        return {"url": _url(shared), "commit": commit} if commit else None
    except (OSError, ValueError):
        return None


def _commit(place: Path, shared: Path) -> str:
    head = (place / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref:"):
        return head
    name = head.partition("ref:")[2].strip()
    for root in (place, shared):
        if (root / name).is_file():
            return (root / name).read_text(encoding="utf-8").strip()
    packed = shared / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), "")


def _url(shared: Path) -> str:
    section = ""
    for line in (shared / "config").read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == '[remote "origin"]' and line.partition("=")[0].strip() == "url":
            return public_url(line.partition("=")[2].strip())
    return ""


def public_url(url: str) -> str:
    """A URL without user name and password."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)
