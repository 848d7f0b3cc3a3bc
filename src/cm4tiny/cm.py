# SPDX-License-Identifier: Apache-2.0
"""The edge between CM's scripts and the package: ``customize.py`` binds a class of options to a function with :func:`step`.

A step declares what it reads as a frozen dataclass, a field for each key of CM's environment (:func:`flag`, :func:`value`). Its
function gets the options with their types and a :class:`Step` for everything else, and returns the keys that it sets. :func:`step`
shows its progress and turns errors into CM's ``{'return': n, 'error': text}``, so that a step behaves the same under this project's
engine and under upstream's::

    @dataclass(frozen=True, kw_only=True)
    class CountOptions:
        text: Path | None = flag("MY_TEXT")


    def count(options: CountOptions, step: Step) -> Outputs:
        return {"MY_COUNT": ...}


    preprocess = cm.step(CountOptions, count)
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from cm4tiny.console import show, watch
from cm4tiny.disk import disk_full, is_full
from cm4tiny.errors import Cm4TinyError, UsageError
from cm4tiny.events import EventStream
from cm4tiny.mlcflow import HOOKS, to_cm, to_mlc
from cm4tiny.network import offline_as
from cm4tiny.paths import cm_repo, expanded
from cm4tiny.settings import is_on, output_folder, parse_count, parse_switch

T = TypeVar("T")
Hook = Callable[[dict[str, Any]], dict[str, Any]]
Outputs = Mapping[str, str | Path]
"""Keys of the environment that a step sets; ``new_env_keys`` of its meta says which of them reach the caller."""


def flag(key: str, *, default: str | int = "", limits: tuple[int, int] | None = None, also: tuple[str, ...] = ()) -> Any:
    """A field that a flag of the step sets: ``--NAME=VALUE`` with the name of the field.

    What it means, and which values it takes, is described by ``input_description`` of the meta or ``inputs.yaml`` of the repository.

    Args:
        key: of CM's environment, as in ``input_mapping`` of the meta.
        default: where the flag is not given.
        limits: the smallest and the largest number of an ``int``.
        also: older names of the flag.
    """
    return field(metadata={"key": key, "default": default, "limits": limits, "flags": also, "is_flag": True})


def value(key: str, *, default: str | int = "", limits: tuple[int, int] | None = None, needs: str = "") -> Any:
    """A field that no flag of the step sets, but a variation, a step before it or the caller's environment.

    Args:
        key: of CM's environment; one that ends with ``*`` takes all keys with that beginning.
        default: where it is not set.
        limits: as in :func:`flag`.
        needs: what to do if it is not set; empty if it need not be.
    """
    return field(metadata={"key": key, "default": default, "limits": limits, "needs": needs, "is_flag": False})


def flags_of(cls: type[Any]) -> dict[str, str]:
    """The flags of an options class and the keys that they set: what ``input_mapping`` of the step's meta has to be."""
    found = {}
    for given in fields(cls):
        if given.metadata["is_flag"]:
            found.update(dict.fromkeys((given.name, *given.metadata["flags"]), given.metadata["key"]))
    return found


@dataclass(frozen=True)
class Step:
    """What a step sees next to its options: an event stream, the folder that it runs in, where ``cm`` was called.

    ``sources`` is for what it fetches: ``{"url": ..., "sha256": ...}`` (or ``commit``), ``digests`` (sha256 by name) for files that it uses
    outside CM's cache; a lock file holds both.
    """

    env: Mapping[str, Any]
    events: EventStream
    folder: Path
    sources: list[dict[str, str]] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def here(self) -> Path:
        """Where ``cm`` was called; relative paths of flags count from there."""
        return Path(self.env.get("CM_TMP_CURRENT_PATH") or self.folder)

    def show(self, text: str) -> None:
        """Prints a result for the user."""
        show(text)

    def options(self, cls: type[T]) -> T:
        """An options class from the environment.

        The type of a field decides how it is read: ``str`` (without blanks around it), ``bool`` (of a flag: a word that is
        neither yes nor no is refused), ``int`` (with a default), ``int | None``,
        ``Path`` (the folder of the results, :func:`cm4tiny.settings.output_folder`), ``Path | None`` (absolute, ``~`` expanded),
        ``tuple[Path, ...]`` and ``tuple[str, ...]`` (separated by commas), ``dict[str, str]`` (the keys with one beginning).

        Raises:
            UsageError: a value has the wrong form, or one that is needed is missing.
        """
        types = get_type_hints(cls)
        found = {}
        for given in fields(cls):  # type: ignore[arg-type]
            about = given.metadata
            if about.get("needs") and not self._text(about["key"]):
                raise UsageError(f"{about['key']} is not set", hint=about["needs"])
            found[given.name] = _READERS[str(types[given.name])](self, given.name, about)
        return cls(**found)

    def _text(self, key: str, default: Any = "") -> str:
        given = self.env.get(key)
        return str("" if given is None else given).strip() or str(default)

    def _parts(self, about: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(part.strip() for part in self._text(about["key"], about["default"]).split(",") if part.strip())

    def _path(self, about: Mapping[str, Any]) -> Path | None:
        text = self._text(about["key"], about["default"])
        return self.here / expanded(text) if text else None

    def _switch(self, name: str, about: Mapping[str, Any]) -> bool:
        given = self.env.get(about["key"])
        return parse_switch(name, "" if given is None else given) if about["is_flag"] else is_on(given)

    def _number(self, name: str, about: Mapping[str, Any]) -> int | None:
        return parse_count(name, self._text(about["key"], about["default"]), *(about["limits"] or ()))


_READERS: dict[str, Callable[[Step, str, Mapping[str, Any]], Any]] = {
    str(str): lambda step, name, about: step._text(about["key"], about["default"]),
    str(bool): Step._switch,
    str(int): Step._number,
    str(int | None): Step._number,
    str(Path): lambda step, name, about: output_folder(step.env, about["default"], about["key"]),
    str(Path | None): lambda step, name, about: step._path(about),
    str(tuple[Path, ...]): lambda step, name, about: tuple(step.here / expanded(part) for part in step._parts(about)),
    str(tuple[str, ...]): lambda step, name, about: step._parts(about),
    str(dict[str, str]): lambda step, name, about: {
        key: str(given) for key, given in sorted(step.env.items()) if key.startswith(about["key"].rstrip("*")) and given
    },
}


def step(options: type[T], function: Callable[[T, Step], Outputs | None]) -> Hook:
    """Makes ``preprocess(i)``, ``postprocess(i)`` or ``check_inputs(i)`` of CM from a function of options and a :class:`Step`.

    Args:
        options: a frozen dataclass of :func:`flag` and :func:`value`.
        function: does the work; returns the keys that it sets.
    """

    def hook(i: dict[str, Any]) -> dict[str, Any]:
        env = i["env"]
        try:
            with watch() as events, offline_as(env):
                seen = Step(env, events, Path.cwd())
                outputs = function(seen.options(options), seen) or {}
        except Cm4TinyError as error:
            return error.as_cm()
        except OSError as error:
            return _operating_system(error).as_cm()
        env.update({key: str(text) for key, text in outputs.items()})
        facts = {"sources": seen.sources, "digests": seen.digests}
        return {"return": 0, **{key: listed for key, listed in facts.items() if listed}}

    hook.options = options  # type: ignore[attr-defined]  # read by the tests of the steps' form
    return hook


def _operating_system(error: OSError) -> Cm4TinyError:
    if is_full(error):
        return disk_full(
            "the step", error.strerror or str(error), *([Path(error.filename)] if isinstance(error.filename, str) else [Path.cwd()])
        )
    place = error.filename or os.getcwd()  # noqa: PTH109 - a Path would hide a deleted directory's error
    return Cm4TinyError(
        f"the operating system refused access to {place}",
        why=error.strerror or str(error),
        hint="free disk space, check the permissions, or choose another directory (--outdirname=DIR, CM_REPOS, CM_TINY_CACHE)",
    )


def mlc_hooks(alias: str) -> dict[str, Hook]:
    """The hooks of one of this project's steps for MLCFlow, by MLCFlow's names.

    They are the ones of the step's ``customize.py``: each sees its environment under CM's names (``CM_*``), and what it changes reaches
    MLCFlow under MLCFlow's (``MLC_*``).

    Args:
        alias: of the step, which is the name of its folder.
    """
    path = cm_repo() / "script" / alias / "customize.py"
    spec = importlib.util.spec_from_file_location(f"cm4tiny_step_{alias.replace('-', '_')}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: under_mlc(getattr(module, hook)) for hook, name in HOOKS.items() if hasattr(module, hook)}


def under_mlc(hook: Hook) -> Hook:
    """A hook that is written for CM's environment, for MLCFlow's."""

    def adapted(i: dict[str, Any]) -> dict[str, Any]:
        env = i["env"]
        before = to_cm(env)
        seen = dict(before)
        answer = hook({**i, "env": seen})
        for key in before.keys() - seen.keys():
            env.pop(to_mlc(key), None)
        env.update({to_mlc(key): given for key, given in seen.items() if key not in before or before[key] != given})
        return _with_its_command(answer)

    return adapted


def _with_its_command(answer: dict[str, Any]) -> dict[str, Any]:
    """A hook's answer whose hints name MLCFlow's command for a step."""
    if "error" not in answer:
        return answer
    return {**answer, "error": answer["error"].replace("cm run script --tags=", "mlcr ")}
