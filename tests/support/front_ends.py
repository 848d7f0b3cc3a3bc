# SPDX-License-Identifier: Apache-2.0
"""The commands by which people start a step: ``cm``, ``cmx``, upstream's engine, and MLCFlow's ``mlcr``; each in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from support.no_network import refusing_site

from cm4tiny import mlcflow
from cm4tiny.paths import cm_repo

NAMES = ("cm", "cmx", "upstream", "mlcr")
UPSTREAM_ENGINE = "script,5b4e0237da074764"
_MLC = "import sys; from mlc.main import {name}; sys.exit({name}())"


@dataclass
class FrontEnd:
    """One of :data:`NAMES`.

    Args:
        name: which one.
        home: HOME; CM's and MLCFlow's files lie in it. Two front ends of CM may share one.
        packages: folders for PYTHONPATH with what this environment lacks: upstream's engine, MLCFlow.
        cache: ``CM_TINY_CACHE``; in the home by default. What lies there is no front end's: a compiled emulator, tool chains.
    """

    name: str
    home: Path
    packages: tuple[Path, ...] = ()
    cache: Path | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.home / "network.log"
        if not self.home.exists():
            self.home.mkdir(parents=True)
            refusing_site(self.home / "site")
            self._register()

    def _register(self) -> None:
        """MLCFlow's as the documentation says it; CM's by its file, which is what ``cm add repo`` writes."""
        if self.name == "mlcr":
            done = self._start([sys.executable, "-m", "cm4tiny.mlcflow"], self.home)
            assert done.returncode == 0, done.stdout + done.stderr
            return
        (self.home / "CM").mkdir()
        (self.home / "CM" / "repos.json").write_text(json.dumps([str(cm_repo())]), encoding="utf-8")

    @property
    def _env(self) -> dict[str, str]:
        paths = [self.home / "site", *self.packages, Path(mlcflow.__file__).parents[1]]
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("CM_", "MLC_", "PIP_"))}
        return {
            **kept,
            "HOME": str(self.home),
            "CM_REPOS": str(self.home / "CM"),
            "CM_TINY_CACHE": str(self.cache or self.home / "cache"),
            "CM_TINY_OFFLINE": "yes",
            "CM4TINY_UPSTREAM": "",
            "NETWORK_LOG": str(self.log),
            "PYTHONPATH": os.pathsep.join(str(path) for path in paths),
        }

    def _start(self, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=folder, env=self._env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800, check=False
        )

    def run(self, tags: str, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
        """Runs the step with these tags in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.name == "mlcr":
            return self._start([sys.executable, "-c", _MLC.format(name="mlcr"), tags, *flags], folder)
        program = Path(sys.executable).parent / ("cmx" if self.name == "cmx" else "cm")
        automation = UPSTREAM_ENGINE if self.name == "upstream" else "script"
        return self._start([str(program), "run", automation, f"--tags={tags}", *flags], folder)

    @property
    def connections(self) -> list[str]:
        """What was attempted to reach through the network."""
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.is_file() else []
