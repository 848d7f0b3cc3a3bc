# SPDX-License-Identifier: Apache-2.0
"""Refuses an unsuitable Python before pip downloads anything else, and adds the repository for MLCFlow to a wheel.

pip asks the resolver for all dependencies before it looks at requires-python of a source tree, so that an old Python ended in "No matching
distribution found for" one of them, after the downloads.
"""

from __future__ import annotations

import platform
import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface
from packaging.specifiers import SpecifierSet


class SuitablePython(MetadataHookInterface):
    """Compares the running Python with requires-python; changes nothing."""

    def update(self, metadata: dict[str, object]) -> None:
        wanted, running = str(metadata["requires-python"]), platform.python_version()
        if not SpecifierSet(wanted).contains(running, prereleases=True):
            raise SystemExit(
                f"{metadata['name']} needs Python {wanted}, and this is Python {running}: create a virtual environment with another one"
            )


class WithMlcRepository(BuildHookInterface):
    """Makes ``cm4tiny/mlc`` of a wheel from the CM repository; an editable installation makes it when it is registered."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        self.made = Path(tempfile.mkdtemp(prefix="cm4tiny-mlc-"))
        root = Path(self.root)
        write = runpy.run_path(str(root / "src" / "cm4tiny" / "mlcflow.py"))["write"]
        write(root / "cm-repo", self.made / "mlc")
        build_data["force_include"][str(self.made / "mlc")] = "cm4tiny/mlc"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            shutil.rmtree(self.made, ignore_errors=True)
