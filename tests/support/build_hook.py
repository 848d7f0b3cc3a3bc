# SPDX-License-Identifier: Apache-2.0
"""``hatch_build.py`` as a module, with stand-ins for hatchling's interfaces: an environment for tests need not have hatchling."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


class Interface:
    """What both interfaces have in common here: the folder of the project."""

    def __init__(self, root: str = str(ROOT)) -> None:
        self.root = root


def load_build_hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module; hatchling is replaced until the test ends."""
    for package, attribute in (("builders.hooks", "BuildHookInterface"), ("metadata", "MetadataHookInterface")):
        parts = f"hatchling.{package}.plugin.interface".split(".")
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[:count])
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        setattr(sys.modules[".".join(parts)], attribute, Interface)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
