# SPDX-License-Identifier: Apache-2.0
"""The folders of EEMBC's EnergyRunner: ``<root>/runner/benchmarks/ulp-mlperf/datasets/<set>`` and ``<root>/runner/sessions``.

The runner makes them below ``$HOME/eembc`` and reads the samples from there (eembc/energyrunner, README.md).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from cm4tiny.errors import AssetError
from cm4tiny.files import replacing


@dataclass(frozen=True)
class EembcFolders:
    """Where the runner keeps things; ``root`` is its folder, by default ``$HOME/eembc``."""

    root: Path

    @classmethod
    def at(cls, path: str = "") -> EembcFolders:
        """The folders below ``path``, or below ``$HOME/eembc``."""
        return cls(Path(path).expanduser() if path else Path.home() / "eembc")

    @property
    def sessions(self) -> Path:
        """Where its sessions go."""
        return self.root / "runner" / "sessions"

    @property
    def datasets(self) -> Path:
        """Where it looks for samples, one folder per set."""
        return self.root / "runner" / "benchmarks" / "ulp-mlperf" / "datasets"


def fill_datasets(folders: EembcFolders, source: Path, name: str = "", *, replace: bool = True) -> Path:
    """Copies a folder's files to the runner's folder of that set and returns it; files of other names stay.

    Args:
        name: of the set; empty: ``source`` holds a folder per set.
        replace: overwrite files of the same name; without, a list that is there already stays, because samples belong to it.

    Raises:
        AssetError: the folder cannot be written.
    """
    target = folders.datasets / name
    try:
        folders.sessions.mkdir(parents=True, exist_ok=True)
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(source.rglob("*")):
            copy = target / path.relative_to(source)
            if path.is_dir():
                copy.mkdir(exist_ok=True)
            elif path.is_file() and (replace or not copy.exists()):
                with replacing(copy) as temporary:
                    shutil.copyfile(path, temporary)
    except OSError as error:
        hint = "choose another place with --eembc_root=DIR"
        raise AssetError(f"EEMBC's folder {target} cannot be filled", why=error.strerror or str(error), hint=hint) from error
    return target
