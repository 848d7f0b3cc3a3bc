# SPDX-License-Identifier: Apache-2.0
"""The page "Write your own step", followed to the letter in an empty home."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cm4tiny.paths import cm_repo

DOCS = Path(__file__).parents[3] / "docs"


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a language, in order."""
    found = re.findall(r"```(\w*)\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    return [text for name, text in found if name == language]


@pytest.fixture
def shell(tmp_path: Path) -> Any:
    home = tmp_path / "home"
    work = home / "work"
    work.mkdir(parents=True)
    (home / "CM").mkdir()
    (home / "CM" / "repos.json").write_text(f'["{cm_repo()}"]')
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CM_")}
    env = {**kept, "HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "CM_CORE_SKIP_INTERNAL_REPOS": "yes"}

    def run(commands: str) -> str:
        done = subprocess.run(
            ["bash", "-ec", commands], cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, commands + done.stdout + done.stderr
        return done.stdout

    run.work = work  # type: ignore[attr-defined]
    return run


def test_the_page_on_writing_a_step_can_be_followed(shell: Any) -> None:
    page = "write-your-own-step.md"
    metas, hooks, commands = blocks(page, "yaml"), blocks(page, "python"), blocks(page, "bash")
    make, run_sh, run_it, make_second, run_second, check = commands
    assert "count-words runs in" in shell(make)
    first, second = (shell.work / "my-steps" / "script" / name for name in ("count-words", "report-words"))
    (first / "_cm.yaml").write_text(metas[0])
    (first / "customize.py").write_text(hooks[0])
    (first / "run.sh").write_text(run_sh)
    (first / "run.bat").unlink()
    out = shell(run_it)
    assert '"MY_COUNT": "4"' in out
    assert "MY_COUNT: 2" in out
    shell(make_second)
    generated = (second / "_cm.yaml").read_text().splitlines(keepends=True)
    (second / "_cm.yaml").write_text("".join(generated[:4]) + metas[1])
    (second / "customize.py").write_text(hooks[1])
    (second / "run.sh").unlink()
    (second / "run.bat").unlink()
    out = shell(run_second)
    assert "poem.txt: 4\n" in out
    assert "poem.txt: 2\n" in out
    out = shell(check)
    assert "1 script: no problems" in out
    assert out.count("ok     count-words") == 2
