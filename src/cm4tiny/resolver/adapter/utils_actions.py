# SPDX-License-Identifier: Apache-2.0
"""Actions of upstream's ``utils`` automation that scripts call, for homes without upstream: same names, keys and return codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlparse

from cm4tiny.errors import Cm4TinyError
from cm4tiny.files import replacing
from cm4tiny.network import FORBIDDEN, is_offline
from cm4tiny.resolver.language.host import os_info
from cm4tiny.resolver.language.meta import load_meta
from cm4tiny.resolver.language.versions import compare
from cm4tiny.resolver.plan.resolve import copied

Answer = dict[str, Any]

_TIMEOUT_S = (30, 120)


def _failed(text: str, code: int = 1) -> Answer:
    return {"return": code, "error": text}


def download_file(i: Answer) -> Answer:
    """Downloads ``url`` into ``path`` (or the current folder) as ``filename``; returns ``filename``, ``path`` and ``size`` in bytes.

    The file appears under its name when it is complete.
    """
    import requests

    url = str(i["url"])
    if is_offline():
        return _failed(f"cannot download {url}: {FORBIDDEN}")
    name = str(i.get("filename") or "") or os.path.basename(unquote(urlparse(url).path))  # noqa: PTH119
    if not name:
        return _failed(f"the URL {url} does not end with the name of a file; give one with 'filename'")
    target = Path(i.get("path") or Path.cwd()) / name
    verify = os.environ.get("CM_UTILS_DOWNLOAD_VERIFY_SSL", "yes") == "yes" and i.get("verify", True)
    size = 0
    try:
        with (
            requests.get(url, stream=True, allow_redirects=True, verify=verify, timeout=_TIMEOUT_S) as download,
            replacing(target) as part,
            part.open("wb") as file,
        ):
            download.raise_for_status()
            for chunk in download.iter_content(chunk_size=int(i.get("chunk_size", 65536))):
                size += file.write(chunk)
    except (OSError, requests.RequestException) as error:
        return _failed(f"cannot download {url}: {error}")
    return {"return": 0, "filename": name, "path": str(target), "size": size}


def unzip_file(i: Answer) -> Answer:
    """Unpacks ``filename`` into ``path`` (or the current folder), without its first ``strip_folders`` folders.

    Members that would be written outside that folder, and links, are errors; nothing is written then.
    """
    archive = Path(i["filename"])
    if not archive.is_file():
        return _failed(f"file {archive} not found")
    top = Path(i.get("path") or Path.cwd()).resolve()
    strip = int(i.get("strip_folders") or 0)
    try:
        with zipfile.ZipFile(archive) as opened:
            plan = []
            for member in opened.infolist():
                parts = PurePosixPath(member.filename.replace("\\", "/")).parts[strip:]
                target = top.joinpath(*parts)
                outside = parts[:1] == ("/",) or ".." in parts or not target.resolve().is_relative_to(top)
                if outside or (member.external_attr >> 16) & 0o170000 == 0o120000:
                    return _failed(f"{archive} holds '{member.filename}', which would be written outside {top} or is a link")
                plan.append((member, target))
            for member, target in plan:
                if member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
                mode = (member.external_attr >> 16) & 0o777
                if mode:
                    target.chmod(mode)
    except (OSError, zipfile.BadZipFile, RuntimeError) as error:
        return _failed(f"cannot unpack {archive}: {error}")
    return {"return": 0}


def system(i: Answer) -> Answer:
    """Runs the shell command ``cmd`` in ``path``; returns ``ret`` (exit status), ``stdout``, ``stderr`` and ``std`` (both)."""
    if not i["cmd"]:
        return _failed("cmd is empty")
    folder = i.get("path") if i.get("path") and Path(i["path"]).is_dir() else None
    done = subprocess.run(
        i["cmd"], shell=True, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    out, err = done.stdout.strip(), done.stderr.strip()
    return {"return": 0, "ret": done.returncode, "stdout": out, "stderr": err, "std": "\n".join(filter(None, (out, err)))}


def compare_versions(i: Answer) -> Answer:
    """``comparison``: -1, 0 or 1 for ``version1`` below, equal to or above ``version2``; missing parts count as 0."""
    first, second = str(i["version1"]), str(i["version2"])
    missing = first.count(".") - second.count(".")
    return {"return": 0, "comparison": compare(first + ".0" * -missing, second + ".0" * missing)}


def get_host_os_info(i: Answer) -> Answer:
    """``info``: upstream's ``os_info``."""
    return {"return": 0, "info": copied(os_info())}


def load_cfg(i: Answer, find: Callable[[Answer], Answer]) -> Answer:
    """Reads the YAML and JSON files of ``cfg`` artifacts; returns the artifacts as ``lst`` and the metas as ``selection``.

    Args:
        i: ``artifact`` or ``tags``; ``skip_files`` for the artifacts' own metas; ``key`` and ``key_end`` for names of files; ``prune``.
        find: cmind's ``find`` for ``cfg`` artifacts.
    """
    answer = find({key: i[key] for key in ("artifact", "tags") if i.get(key)})
    if answer["return"] > 0:
        return answer
    prune = i.get("prune") or {}
    selection = []
    try:
        for artifact in answer["list"]:
            if i.get("skip_files"):
                rows = [(Path(artifact.path), dict(artifact.meta))]
            elif prune.get("meta_key") and prune.get("meta_key_uid") not in (artifact.meta.get(prune["meta_key"]) or ()):
                rows = []
            else:
                rows = [(file, _with_base(file, find)) for file in _cfg_files(Path(artifact.path), i)]
            for file, meta in rows:
                if _pruned(meta, prune, own=bool(i.get("skip_files"))):
                    continue
                meta["full_path"] = str(file)
                if not i.get("skip_files"):
                    _describe(meta, artifact.meta)
                selection.append(meta)
    except Cm4TinyError as error:
        return error.as_cm()
    return {"return": 0, "lst": answer["list"], "selection": selection}


def _cfg_files(folder: Path, i: Answer) -> list[Path]:
    ends = tuple(i.get("key_end") or ())
    names = sorted(file.name for file in folder.iterdir())
    return [
        folder / name
        for name in names
        if name.startswith(i.get("key") or "") and not name.startswith("_") and name.endswith((".json", ".yaml"))
        if not ends or name.endswith(ends)
    ]


def _with_base(file: Path, find: Callable[[Answer], Answer]) -> Answer:
    """The meta of a file on top of its ``_base`` (``file.yaml`` next to it, or ``artifact:file.yaml``)."""
    meta = load_meta(file)
    base_name = str(meta.get("_base") or "")
    if not base_name:
        return meta
    name, _, base_file = base_name.rpartition(":")
    folder = file.parent
    if name:
        found = find({"artifact": name})
        if found["return"] > 0 or not found["list"]:
            raise Cm4TinyError(f"_base artifact {name} of {file} not found", hint=f"correct '_base' in {file}")
        folder = Path(found["list"][0].path)
    base = load_meta(folder / base_file)
    for key, value in meta.items():
        old = base.get(key)
        if isinstance(value, list) and isinstance(old, list):
            base[key] = [*old, *value]
        elif isinstance(value, str) and isinstance(old, str) and key in ("tags", "name"):
            base[key] = f"{old}{value}"
        elif isinstance(value, dict) and isinstance(old, dict):
            base[key] = {**old, **value}
        else:
            base[key] = value
    return base


def _pruned(meta: Answer, prune: Answer, *, own: bool) -> bool:
    key, uid = prune.get("key"), prune.get("key_uid")
    if own:
        return bool(key and uid and uid not in (meta.get(key) or ()))
    if prune.get("uid") and meta.get("uid") != prune["uid"]:
        return True
    if prune.get("list") and meta.get("uid") not in prune["list"]:
        return True
    return bool(key and uid and meta.get(key) != uid)


def _describe(meta: Answer, main_meta: Any) -> None:
    tags = meta.get("tags") or ""
    words = tags.split(",") if isinstance(tags, str) else [str(tag) for tag in tags]
    name = str(meta.get("name") or "").strip() or " ".join(filter(None, words))
    meta["name"] = name
    own = [word for word in words if word] or name.lower().split()
    meta["all_tags"] = [*(main_meta.get("tags") or ()), *own]
    meta["main_meta"] = json.loads(json.dumps(main_meta, default=str))


#: Actions by upstream's names; ``load_cfg`` is separate because it needs cmind.
ACTIONS: dict[str, Callable[[Answer], Answer]] = {
    "download_file": download_file,
    "unzip_file": unzip_file,
    "system": system,
    "compare_versions": compare_versions,
    "get_host_os_info": get_host_os_info,
}
