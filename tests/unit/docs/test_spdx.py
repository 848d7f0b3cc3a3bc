# SPDX-License-Identifier: Apache-2.0
"""Every source file says under which licence it is (tools/spdx.py puts the line there)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def spdx() -> ModuleType:
    spec = importlib.util.spec_from_file_location("spdx", ROOT / "tools" / "spdx.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_source_file_has_the_line(spdx: ModuleType) -> None:
    assert len(spdx.sources()) > 800
    assert spdx.missing() == [], "run: python tools/spdx.py"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.py", '"""Doc."""\n', '# SPDX-License-Identifier: Apache-2.0\n"""Doc."""\n'),
        ("a.c", "int a;\n", "// SPDX-License-Identifier: Apache-2.0\nint a;\n"),
        ("a.ld", "MEMORY {}\n", "/* SPDX-License-Identifier: Apache-2.0 */\nMEMORY {}\n"),
        (".ci/run", "#!/bin/sh\ntrue\n", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\ntrue\n"),
        ("a.html", "<!doctype html>\n<p>\n", "<!doctype html>\n<!-- SPDX-License-Identifier: Apache-2.0 -->\n<p>\n"),
        ("a.csv", "a,b\n", "a,b\n"),
    ],
)
def test_the_line_comes_first_once(spdx: ModuleType, name: str, text: str, expected: str) -> None:
    assert spdx.with_line(name, text) == expected
    assert spdx.with_line(name, expected) == expected
