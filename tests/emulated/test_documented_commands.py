# SPDX-License-Identifier: Apache-2.0
"""The commands of README, docs and workflows as they stand there, in an empty home with a copy of the checkout (docs/commands.yaml)."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest
from support.documented import ROOT, SKIPPED, Block, Rule, blocks, fenced, ruled, shows, transcript

from cm4tiny.benchmarks.embedded import embedded_model

pytestmark = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc")

LIMITS_S = {"ci": 120, "long": 3600, "network": 1800, "upstream": 3600, "hardware": 600}
BUILD = "cm run script --tags=build,firmware,mlperf,tiny,_kws"


class Home:
    """An empty home next to a copy of the checkout, in which commands are executed by bash as a reader would paste them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "cm4tiny"
        shutil.copytree(ROOT, self.checkout, ignore=self._left_out)
        self.home = folder / "home"
        (self.home / "CM").mkdir(parents=True)
        (self.home / "CM" / "repos.json").write_text(f'["{self.checkout}"]', encoding="utf-8")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("CM_", "PYTEST_"))}
        kept |= {key: os.environ[key] for key in ("CM_TINY_MIRROR",) if key in os.environ}
        self.env = {
            **kept,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{self.checkout / 'src'}:{self.checkout / 'tests'}",
            "CM_CORE_SKIP_INTERNAL_REPOS": "yes",
            "MODEL": str(embedded_model("kws")),
            "GITHUB_OUTPUT": str(self.checkout / "output.txt"),
            "GITHUB_WORKSPACE": str(self.checkout),
            "ROUND": "v1.1",
        }

    @staticmethod
    def _left_out(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if name == "__pycache__" or (Path(folder) == ROOT and name in SKIPPED)}

    def page_folder(self, page: str) -> Path:
        """Where the blocks of a page run, one after the other."""
        found = self.folder / "pages" / re.sub(r"\W", "-", page)
        found.mkdir(parents=True, exist_ok=True)
        return found

    def start(self, script: str, folder: Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-ec", script], cwd=folder, env={**self.env, **(env or {})}, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, script: str, folder: Path, limit_s: float = 120, env: dict[str, str] | None = None) -> tuple[int, str]:
        """Exit status and all output."""
        process = self.start(script, folder, env)
        try:
            printed, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return process.returncode, printed

    def run_until(self, word: str, script: str, folder: Path, limit_s: float = 60) -> tuple[int, str]:
        """A server: interrupted once it printed ``word``."""
        process = self.start(f"trap - INT; {script}", folder)
        assert process.stdout is not None
        printed, end = "", time.monotonic() + limit_s
        for line in process.stdout:
            printed += line
            if word in line or time.monotonic() > end:
                break
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert word in printed, printed + rest
        return process.returncode, printed + rest

    @property
    def elf(self) -> str:
        """The kws firmware, which the commands of the tutorial build."""
        found = sorted(self.home.rglob("kws-performance.elf"))
        if not found:
            status, printed = self.run(BUILD, self.page_folder("docs/tutorial.md"))
            assert status == 0, printed
            found = sorted(self.home.rglob("kws-performance.elf"))
        return str(found[0])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("documented"))


@pytest.fixture
def own_environment(home: Home) -> dict[str, str]:
    """A virtual environment with nothing in it, for blocks that install."""
    folder = home.folder / "venv"
    if not folder.is_dir():
        venv.create(folder, with_pip=True)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": "", "CM_CORE_SKIP_INTERNAL_REPOS": "", "CM_REPOS": str(home.folder / "own" / "CM")}


def cases() -> list[object]:
    """(block, rule, mode) for each mode in which commands of the block are executed."""
    found: list[object] = []
    for block, rule in ruled():
        for mode in dict.fromkeys(rule.mode(command) for command in block.commands):
            if mode in LIMITS_S:
                marks = [] if mode == "ci" else [getattr(pytest.mark, mode)]
                found.append(pytest.param(block, rule, mode, marks=marks, id=f"{mode} {block.page} {block.first[:50]}"))
    return found


@pytest.mark.parametrize(("block", "rule", "mode"), cases())
def test_a_block_does_what_its_page_says(home: Home, block: Block, rule: Rule, mode: str, request: pytest.FixtureRequest) -> None:
    folder = home.checkout if rule.cwd == "checkout" else home.page_folder(block.page)
    if mode == "upstream" and not {"CM4TINY_UPSTREAM", "CM_TINY_MIRROR"} & set(os.environ):
        pytest.skip("needs CM4TINY_UPSTREAM or CM_TINY_MIRROR")
    env = {"ELF": home.elf} if "$ELF" in rule.before else {}
    if rule.own:
        env, folder = {**env, **request.getfixturevalue("own_environment")}, home.checkout
    if rule.before:
        status, printed = home.run(rule.before, folder, env=env)
        assert status == 0, printed
    mine = [command for command in block.commands if rule.mode(command) == mode]
    whole = mine == list(block.commands) and block.language != "console"
    script = rule.replaced(block.text if whole else "\n".join(mine))
    if rule.until:
        status, printed = home.run_until(rule.until, script, folder)
        assert status in (0, 130), printed
    else:
        status, printed = home.run(script, folder, LIMITS_S[mode], env)
        assert status == rule.status, f"{script}\n{printed}"
    for pattern in rule.prints:
        assert re.search(pattern, printed), f"{pattern} in:\n{printed}"
    for _, shown in transcript(block) if block.language == "console" else ():
        assert shows(shown, printed), f"{shown}\nin:\n{printed}"
    if rule.after:
        status, printed = home.run(rule.after, folder, env=env)
        assert status == 0, printed


def planned() -> list[tuple[Rule, str]]:
    """cm commands that the ordinary run does not execute."""
    found = [(rule, command) for block, rule in ruled() if rule.plan for command in block.commands if rule.mode(command) != "ci"]
    kept = ((rule, part.strip()) for rule, command in found for part in command.split("&&"))
    return [(rule, part) for rule, part in kept if part.startswith("cm run script") and "$" not in part and "_graph" not in part]


def test_commands_that_the_ordinary_run_does_not_execute_can_be_planned(home: Home) -> None:
    """Each name and flag is one that exists: ``--plan`` resolves the whole chain and runs nothing."""
    wrong = []
    for rule in dict.fromkeys(rule for rule, _ in planned()):
        folder = home.page_folder(rule.page)
        env = {"ELF": home.elf, "CM_TINY_MIRROR": str(home.folder)}
        status, printed = home.run(rule.before or ":", folder, env=env)
        assert status == 0, printed
        commands = [command for other, command in planned() if other == rule]
        status, printed = home.run("python -m support.plan_all " + " ".join(map(shlex.quote, commands)), folder)
        wrong += [printed] if status or printed else []
    assert wrong == []


def test_the_page_on_reuse_can_be_followed(home: Home) -> None:
    page, folder = "docs/reuse-in-your-repository.md", home.page_folder("docs/reuse-in-your-repository.md")
    bash, yaml, python = ([b.text for b in fenced(page) if b.language == language] for language in ("bash", "yaml", "python"))
    make, build, repeat = bash
    status, printed = home.run(make, folder)
    assert status == 0, printed
    step = folder / "your-repo" / "script" / "size-of-firmware"
    uids = "".join((step / "_cm.yaml").read_text(encoding="utf-8").splitlines(keepends=True)[:4])
    (step / "_cm.yaml").write_text(uids + yaml[0], encoding="utf-8")
    (step / "customize.py").write_text(python[0], encoding="utf-8")
    for name in ("run.sh", "run.bat"):
        (step / name).unlink()
    program = python[1].replace("_ic", "_ad")
    status, printed = home.run(
        f"{build.replace('_vww', '_ad')}\n{repeat}\ncat > program.py <<'END'\n{program}END\npython program.py", folder
    )
    assert status == 0, printed
    assert re.search(r'"YOUR_SIZE": "?\d{5,}', printed), printed
    assert re.search(r"^\d{5,}$", printed, re.M), printed
    assert (folder / "lock.json").is_file() and (folder / "cm-repro").is_dir()


def test_no_workflow_step_is_executed_as_something_else() -> None:
    """What is tested is the text in the file, not a copy of it."""
    assert {block.text for block in blocks() if block.language == "workflow"} == {b.text for b, _ in ruled() if b.language == "workflow"}
