# SPDX-License-Identifier: Apache-2.0
"""One full run of a benchmark, which several files look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cm_command import run_cm


@pytest.fixture(scope="session")
def kws_report(cm_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one full kws run: performance, accuracy, derived energy."""
    folder = tmp_path_factory.mktemp("job")
    done = run_cm(cm_home, folder, "run", "script", "--tags=reproduce,mlperf,tiny,_kws", "--outdirname=out")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "stdout.txt").write_text(done.stdout, encoding="utf-8")
    return folder
