# SPDX-License-Identifier: Apache-2.0
"""Versions of what a script gets: which one a run is asked for, and how versions compare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cm4tiny.errors import DependencyError

_KEYS = ("version", "version_min", "version_max", "version_max_usable")


def compare(first: str, second: str) -> int:
    """-1, 0 or 1, comparing part by part; numbers count as numbers, and words come before numbers (``1.0.rc1`` < ``1.0.1``)."""

    def key(version: str) -> list[tuple[int, int, str]]:
        parts = [part for part in re.split(r"[.\-+_]", version) if part != ""]
        return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]

    left, right = key(first), key(second)
    return (left > right) - (left < right)


@dataclass(frozen=True)
class Wanted:
    """The versions that a run is asked for; an empty string asks for nothing."""

    version: str = ""
    version_min: str = ""
    version_max: str = ""
    version_max_usable: str = ""

    @classmethod
    def of(cls, flags: Mapping[str, Any], env: Mapping[str, Any], meta: Mapping[str, Any]) -> Wanted:
        """Each from the flags, else from ``CM_VERSION*`` in the environment, else from the meta."""

        def first(key: str) -> str:
            values = (flags.get(key), env.get(f"CM_{key.upper()}"), meta.get(key))
            return next((str(value).strip() for value in values if value not in (None, "")), "")

        return cls(**{key: first(key) for key in _KEYS})

    def with_default(self, default: str) -> Wanted:
        """The default version, moved into the range, where no exact version is asked for."""
        if self.version or not default:
            return self
        version = default
        if self.version_min and compare(version, self.version_min) < 0:
            version = self.version_min
        if self.version_max and compare(version, self.version_max) > 0:
            version = self.version_max_usable or self.version_max
        return replace(self, version=version)

    def check(self, script: str) -> None:
        """Refuses a range that holds nothing.

        Raises:
            DependencyError: ``version_min`` is above ``version_max``.
        """
        if self.version_min and self.version_max and compare(self.version_min, self.version_max) > 0:
            raise DependencyError(
                f"no version of script '{script}' can be met",
                why=f"version_min {self.version_min} is above version_max {self.version_max}",
                hint="relax one of them, e.g. with --adr.NAME.version_max=...",
            )

    def check_exact(self, script: str) -> None:
        """Refuses an exact version outside of the range that the same command gives; a change by ``adr`` may leave a meta's range.

        Raises:
            DependencyError: ``version`` is not between the ends.
        """
        if not self.accepts(self.version):
            raise DependencyError(
                f"version {self.version} of script '{script}' is outside of the range that is asked for",
                why=self._range(),
                hint="ask for another version, or relax the range, e.g. with --adr.NAME.version_max=...",
            )

    def check_found(self, version: str, script: str) -> None:
        """Refuses what a script found.

        Raises:
            DependencyError: it is outside of the range, and not the exact version that was asked for.
        """
        if version != self.version and not self.accepts(version):
            raise DependencyError(
                f"script '{script}' found version {version}, which is outside of the range that is asked for",
                why=self._range(),
                hint="install a version in that range, or relax it, e.g. with --adr.NAME.version_max=...",
            )

    def _range(self) -> str:
        ends = (("version_min", self.version_min), ("version_max", self.version_max))
        return ", ".join(f"{name} is {value}" for name, value in ends if value)

    def accepts(self, version: str) -> bool:
        """True if a version that was found satisfies the range."""
        if not version:
            return True
        if self.version_min and compare(version, self.version_min) < 0:
            return False
        return not (self.version_max and compare(version, self.version_max) > 0)

    def as_env(self) -> dict[str, str]:
        """``CM_VERSION*`` for those that are set."""
        return {f"CM_{key.upper()}": getattr(self, key) for key in _KEYS if getattr(self, key)}

    def pip_string(self) -> str:
        """The same as a requirement of pip: ``==1.2``, ``>=1,<=2``."""
        if self.version:
            return f"=={self.version}"
        low = f">={self.version_min}" if self.version_min else ""
        high = f"<={self.version_max}" if self.version_max else ""
        return ",".join(filter(None, (low, high)))
