# SPDX-License-Identifier: Apache-2.0
"""Lock files: ``--lock=FILE`` writes what a run used, ``--locked=FILE`` runs exactly that or says what differs.

A lock file is JSON (``lock.schema.json``). Its ``digest`` covers everything but ``host`` and ``made``: these say where it was written and
decide nothing. The digest shows damage and careless edits; it has no key, so it does not say who wrote the file: anybody can compute it
again. Therefore a lock file is only ever compared with what is here; nothing that it holds is executed. Scripts stand in the order in which
they end, whether they ran or came from the cache, in one process or in many.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cm4tiny import __version__, packages
from cm4tiny.errors import LockError, UsageError
from cm4tiny.files import write_atomically
from cm4tiny.resolver.catalogue.repository import Repository, ScriptStore
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.plan.fingerprint import code_version, content_of
from cm4tiny.resolver.plan.planner import HOW
from cm4tiny.resolver.plan.resolve import Request
from cm4tiny.resolver.store.git_source import git_source
from cm4tiny.resolver.store.provenance import SECRET, Places, Record, is_secret
from cm4tiny.settings import cores

if TYPE_CHECKING:
    from cm4tiny.resolver.plan.tree import PlanNode

FORMAT = "cm4tiny-lock-2"
_MAX_BYTES = 64 << 20
_MAX_DEPTH = 40
SCHEMA = Path(__file__).with_name("lock.schema.json")

#: What a script is, before it runs; the rest of a record is what came out.
_BEFORE = ("content", "code", "variations", "excluded", "asked", "inputs", "cached")
_AFTER = ("version", "tools", "sources")
#: Flags that say how to run, not what.
_HOW_FLAGS = frozenset(
    {
        "lock", "locked", "ro_crate", "jobs", "scheduler", "check_cache", "new", "renew", "quiet", "silent", "s", "verbose", "v", "j",
        "json", "time", "space", "pause", "print_deps", "print_env", "print_versions", "print_readme", "dump_version_info", "save_env",
        "plan", "repro", "repro_prefix", "repro_dir", "dirty", "outdirname", "debug_script", "debug_script_tags", "debug_uid", "shell",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """One thing that is not as the lock file says."""

    what: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.what}: expected {_short(self.expected)}, found {_short(self.found)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text or "nothing"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _check_texts(value: Any, depth: int = 0) -> None:
    """Refuses texts that would change what a terminal shows, or that cannot be written, and deep trees. Raises ValueError."""
    if depth > _MAX_DEPTH:
        raise ValueError("its values are nested too deeply")
    if isinstance(value, str):
        if any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in value):
            raise ValueError(f"a text holds control characters: {_printable(value)[:80]}")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_texts(key)
            _check_texts(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item, depth + 1)


def request_part(request: Request, places: Places) -> dict[str, Any]:
    """What was asked for, as a lock file holds it."""
    flags = {key: value for key, value in request.inputs.items() if key not in _HOW_FLAGS}
    parts: dict[str, Any] = {
        "tags": request.tags,
        "name": request.name,
        "flags": flags,
        "env": request.env,
        "const": request.const,
        "state": request.state,
        "const_state": request.const_state,
    }
    parts["env"] = {key: value for key, value in request.env.items() if key not in HOW}
    portable: dict[str, Any] = places.portable({key: value for key, value in parts.items() if value})
    for part in ("flags", "env", "const"):
        if part in portable:
            portable[part] = {key: SECRET if is_secret(key) else value for key, value in portable[part].items()}
    return portable


def engine_part() -> dict[str, str]:
    """The tools that carried out the run."""
    try:
        cmind = metadata.version("cmind")
    except metadata.PackageNotFoundError:
        cmind = ""
    return {"cm4tiny": __version__, "cmind": cmind}


def host_part() -> dict[str, Any]:
    """Facts about this machine."""
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        system = platform.platform()
    return {
        "system": system, "kernel": f"{platform.system()} {platform.release()}", "machine": platform.machine(),
        "processor": _processor(), "cores": cores(), "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libc": " ".join(platform.libc_ver()).strip(),
    }  # fmt: skip


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))), platform.processor())


def _repositories(records: Iterable[Record], repositories: Iterable[Repository]) -> list[dict[str, str]]:
    used = {record["repository"] for record in records}
    rows = []
    for repository in repositories:
        if repository.alias in used:
            places = (repository.path, *repository.path.parents)
            source = next((found for place in places if (found := git_source(place)) is not None), None)
            rows.append({"alias": repository.alias, **(source or {})})
    return sorted(rows, key=lambda row: row["alias"])


def unique(records: Iterable[Record]) -> list[Record]:
    """Each record once, in order."""
    seen: set[str] = set()
    kept = []
    for record in records:
        text = json.dumps(record, sort_keys=True, default=str)
        if text not in seen:
            seen.add(text)
            kept.append(json.loads(text))
    return kept


def digest_of(content: Mapping[str, Any]) -> str:
    """The digest of a lock file's deciding parts."""
    parts = {key: content[key] for key in ("format", "engine", "packages", "request", "repositories", "scripts")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write(file: Path, request: dict[str, Any], records: Iterable[Record], repositories: Iterable[Repository]) -> dict[str, Any]:
    """Writes a lock file and returns its content.

    Raises:
        UsageError: the file cannot be written.
    """
    scripts = unique(records)
    content: dict[str, Any] = {
        "format": FORMAT, "digest": "", "engine": engine_part(), "packages": packages.versions(), "request": request,
        "repositories": _repositories(scripts, repositories),
        "scripts": scripts, "host": host_part(), "made": {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())},
    }  # fmt: skip
    content["digest"] = digest_of(content)
    try:
        write_atomically(file, json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise UsageError(f"cannot write the lock file {file}", why=str(error), hint="give another path with --lock=FILE") from error
    return content


class Lock:
    """A lock file that a run is held to.

    Args:
        file: where it lies.
        content: what it holds.
    """

    def __init__(self, file: Path, content: dict[str, Any]) -> None:
        self.file = file
        self.content = content
        self._by_script: dict[tuple[Any, ...], list[Record]] = {}
        for record in content["scripts"]:
            self._by_script.setdefault(_identity(record), []).append(record)

    @classmethod
    def read(cls, file: Path) -> Lock:
        """Reads and checks a lock file.

        Raises:
            LockError: it cannot be read, is not a lock file, is damaged, or was changed by hand.
        """
        from jsonschema import ValidationError, validate

        hint = "write one with --lock=FILE"
        try:
            if file.exists() and (not file.is_file() or file.stat().st_size > _MAX_BYTES):
                raise OSError(f"it is not a regular file of at most {_MAX_BYTES >> 20} MB")
            content = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_constant)
            validate(content, json.loads(SCHEMA.read_text(encoding="utf-8")))
            _check_texts(content)
            digest = digest_of(content)
        except OSError as error:
            raise LockError(f"cannot read the lock file {file}", why=error.strerror or str(error), hint=hint) from error
        except ValueError as error:
            raise LockError(f"{file} is not a lock file", why=f"it is not JSON of a lock file: {str(error)[:200]}", hint=hint) from error
        except RecursionError as error:
            raise LockError(f"{file} is not a lock file", why="its values are nested too deeply", hint=hint) from error
        except ValidationError as error:
            place = "/".join(str(part) for part in error.absolute_path) or "top level"
            why = f"{_printable(place)}: {_printable(error.message.splitlines()[0][:200])}"
            raise LockError(f"{file} is not a lock file", why=why, hint=hint) from error
        if digest != content["digest"]:
            raise LockError(f"the lock file {file} is damaged or was changed", why="its digest is not that of its content", hint=hint)
        return cls(file, content)

    def scripts(self, store: ScriptStore) -> list[Script]:
        """The scripts of its records that are here."""
        uids = dict.fromkeys(record["uid"] for record in self.content["scripts"])
        return [script for uid in uids for script in store.find(f",{uid}")[:1]]

    # --- before anything runs -----------------------------------------------------------------------------------------------------
    def check(self, request: dict[str, Any], store: ScriptStore, plan: PlanNode) -> None:
        """Compares everything that is known before a run.

        Raises:
            LockError: with all differences.
        """
        differences = [*self._request(request), *self._engine(), *self._scripts(store), *self._planned(plan)]
        if differences:
            raise self.error(differences)

    def _request(self, request: Mapping[str, Any]) -> list[Difference]:
        locked, request = ({**part, "tags": sorted(str(part.get("tags", "")).split(","))} for part in (self.content["request"], request))
        return [Difference(f"request, {key}", locked.get(key), request.get(key))
                for key in sorted({*locked, *request}) if locked.get(key) != request.get(key)]  # fmt: skip

    def _engine(self) -> list[Difference]:
        here = engine_part()
        return [Difference(f"version of {name}", version, here.get(name, "")) for name, version in sorted(self.content["engine"].items())
                if here.get(name, "") != version]  # fmt: skip

    def _scripts(self, store: ScriptStore) -> list[Difference]:
        found = []
        seen: set[str] = set()
        for record in self.content["scripts"]:
            if record["uid"] in seen:
                continue
            seen.add(record["uid"])
            label = f"script '{record['script']}' ({record['uid']})"
            scripts = store.find(f",{record['uid']}")
            if not scripts:
                found.append(Difference(label, f"in repository '{record['repository']}'", "nothing"))
                continue
            found += _script_differences(record, scripts[0], label)
        return found

    def _planned(self, plan: PlanNode) -> list[Difference]:
        """Runs that are certain and that the lock does not have."""
        known = {_identity(record) for record in self.content["scripts"]}
        found = []
        for node in certain(plan):
            if (node.script.uid, tuple(sorted(node.variations)), tuple(sorted(node.excluded))) not in known:
                others = [_names(record) for record in self.content["scripts"] if record["uid"] == node.script.uid]
                found.append(Difference("run", " or ".join(dict.fromkeys(others)), _named(node.script.alias, node.variations)))
        return [difference for number, difference in enumerate(found) if difference not in found[:number]]

    # --- while it runs --------------------------------------------------------------------------------------------------------------
    def admits(self, record: Record) -> bool:
        """True if the lock has a run that begins like this."""
        return any(_same(locked, record, _BEFORE) for locked in self._by_script.get(_identity(record), ()))

    def admit(self, record: Record) -> None:
        """Refuses a run that the lock does not have; called before anything of it is executed.

        Raises:
            LockError: with what differs from the most similar run of the same script.
        """
        if not self.admits(record):
            raise self.error(self._unlike(record, _BEFORE))

    def confirm(self, records: Iterable[Record]) -> None:
        """Refuses results that came from something else than the lock says.

        Raises:
            LockError: with what differs.
        """
        for record in records:
            if not any(_same(locked, record, (*_BEFORE, *_AFTER)) for locked in self._by_script.get(_identity(record), ())):
                raise self.error(self._unlike(record, (*_BEFORE, *_AFTER)))

    def _unlike(self, record: Record, names: Sequence[str]) -> list[Difference]:
        name = _names(record)
        candidates = self._by_script.get(_identity(record), [])
        if not candidates:
            others = [_names(other) for other in self.content["scripts"] if other["uid"] == record["uid"]]
            return [Difference("run", " or ".join(dict.fromkeys(others)), name)]
        return min((_details(locked, record, names, name) for locked in candidates), key=len)

    def files(self, records: Iterable[Record]) -> list[Difference]:
        """Results that have other content than those of the locked run."""
        found = []
        for record in records:
            for locked in self._by_script.get(_identity(record), ()):
                if _same(locked, record, (*_BEFORE, *_AFTER)):
                    keys = sorted(set(locked["files"]) & set(record["files"]))
                    found += [Difference(f"{_names(record)}, {key}", locked["files"][key], record["files"][key])
                              for key in keys if locked["files"][key] != record["files"][key]]  # fmt: skip
        return [difference for number, difference in enumerate(found) if difference not in found[:number]]

    def host(self) -> list[Difference]:
        """Facts of the host and Python packages that are not those of the lock; the run continues and says so."""
        here, there = {**host_part(), **packages.versions()}, {**self.content["host"], **self.content["packages"]}
        return [Difference(name, there[name], here.get(name)) for name in sorted(there) if there[name] != here.get(name)]

    def error(self, differences: Sequence[Difference]) -> LockError:
        """The error that lists differences."""
        return LockError(
            f"this is not the run of {self.file}",
            why="\n       ".join(str(difference) for difference in differences),
            hint="bring these back to what the lock file says, or leave --locked out and write a new one with --lock=FILE",
        )


def certain(plan: PlanNode) -> Iterable[PlanNode]:
    """The nodes of a plan that run for certain."""
    yield plan
    for dep in plan.deps:
        if dep.outcome == "runs" and dep.node is not None:
            yield from certain(dep.node)


def _identity(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return record["uid"], tuple(sorted(record["variations"])), tuple(sorted(record["excluded"]))


def _same(locked: Record, record: Record, names: Iterable[str]) -> bool:
    """Whether two records of one identity agree; the order of variations decides nothing."""
    return all(locked.get(name) == record.get(name) for name in names if name not in ("variations", "excluded"))


def _details(locked: Record, record: Record, names: Iterable[str], label: str) -> list[Difference]:
    found: list[Difference] = []
    for name in names:
        left, right = locked.get(name), record.get(name)
        if left == right:
            continue
        if isinstance(left, dict) and isinstance(right, dict):
            keys = sorted(key for key in {*left, *right} if left.get(key) != right.get(key))
            found += [Difference(f"{label}, {name}, {key}", left.get(key), right.get(key)) for key in keys]
        else:
            found.append(Difference(f"{label}, {name}", left, right))
    return found


def _script_differences(record: Record, script: Script, label: str) -> list[Difference]:
    content = content_of(script.path)
    code = code_version(content.imported) if script.own or content.imported else ""
    found = []
    if content.digest != record["content"]:
        found.append(Difference(f"{label}, digest of its files", record["content"], content.digest))
    if code != record["code"]:
        found.append(Difference(f"{label}, code behind it", record["code"], code))
    return found


def _names(record: Mapping[str, Any]) -> str:
    return _named(record["script"], record["variations"])


def _named(script: str, variations: Iterable[str]) -> str:
    names = " ".join(f"_{name}" for name in variations)
    return f"{script} {names}".rstrip()
