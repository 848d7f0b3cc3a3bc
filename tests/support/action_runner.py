# SPDX-License-Identifier: Apache-2.0
"""Executes the steps of an action or a workflow as the service would, as far as ours go: run steps, ``if``, expressions, local actions.

It knows the expressions that these files use and refuses any other, so that a test cannot pass over one.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass
class Runner:
    """A job: its workspace, the environment of its shells, and what its steps have left.

    Attributes:
        workspace: the checkout that it runs on.
        env: of every step; ``HOME`` and ``PATH`` at least.
        temp: ``$RUNNER_TEMP``, and the files by which steps speak to the service.
        skipped: names of run steps that are left out: another test executes them.
    """

    workspace: Path
    env: dict[str, str]
    temp: Path
    skipped: tuple[str, ...] = ()
    printed: str = ""
    used: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.temp.mkdir(parents=True, exist_ok=True)
        self.summary.write_text("", encoding="utf-8")

    @property
    def summary(self) -> Path:
        """The step summary."""
        return self.temp / "summary.md"

    def commands(self) -> list[str]:
        """What the service takes for commands in what was printed: none between ``::stop-commands::TOKEN`` and ``::TOKEN::``."""
        found, token = [], ""
        for line in self.printed.splitlines():
            if token:
                token = "" if line.strip() == f"::{token}::" else token
            elif line.startswith("::stop-commands::"):
                token = line.removeprefix("::stop-commands::")
            elif line.lstrip().startswith(("::", "##[")):
                found.append(line)
        assert not token, "commands are never read again"
        return found

    def action(self, folder: Path, given: dict[str, Any]) -> int:
        """Runs a composite action; returns the exit status of its first step that fails, else 0."""
        loaded = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))
        declared = loaded["inputs"]
        assert set(given) <= set(declared), f"unknown inputs {set(given) - set(declared)}"
        missing = [name for name, about in declared.items() if about.get("required") and name not in given]
        assert missing == [], "the service only warns of these"
        text = {True: "true", False: "false"}
        inputs = {name: str(text.get(given.get(name), given.get(name, about.get("default", "")))) for name, about in declared.items()}
        return self.steps(loaded["runs"]["steps"], {"inputs": inputs}, folder)

    def steps(self, steps: list[dict[str, Any]], context: dict[str, Any], action: Path | None = None) -> int:
        """Runs steps one after the other; after a failure only those with ``if: always()``."""
        context = {**context, "steps": {}}
        status = 0
        for number, step in enumerate(steps):
            condition = str(step.get("if", ""))
            if condition != "always()" and (status or (condition and not truth(condition, context))):
                continue
            if "run" in step:
                done = 0 if step.get("name") in self.skipped else self._run(step, context, action, number)
            else:
                done = self._use(step, context)
            status = status or done
        return status

    def _use(self, step: dict[str, Any], context: dict[str, Any]) -> int:
        self.used.append(step["uses"])
        given = {key: filled(str(value), context) if isinstance(value, str) else value for key, value in step.get("with", {}).items()}
        return self.action(self.workspace / step["uses"], given) if step["uses"].startswith("./") else 0

    def _run(self, step: dict[str, Any], context: dict[str, Any], action: Path | None, number: int) -> int:
        assert action is None or step["shell"] == "bash"
        output = self.temp / f"output-{number}.txt"
        output.write_text("", encoding="utf-8")
        env = {
            **self.env,
            **{key: filled(str(value), context) for key, value in step.get("env", {}).items()},
            "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(self.workspace), "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.summary), "RUNNER_TEMP": str(self.temp), "RUNNER_OS": "Linux", "RUNNER_ARCH": "X64",
            **({"GITHUB_ACTION_PATH": str(action)} if action else {}),
        }  # fmt: skip
        script = filled(step["run"], context)
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], cwd=self.workspace, env=env, text=True,
            start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            said, _ = process.communicate(timeout=1200)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        self.printed += said
        if "id" in step:
            pairs = (line.partition("=") for line in output.read_text(encoding="utf-8").splitlines())
            context["steps"][step["id"]] = {"outputs": {name: value for name, _, value in pairs}}
        return process.returncode


def value(text: str, context: dict[str, Any]) -> str:
    """``inputs.name`` or ``'text'``."""
    text = text.strip()
    if re.fullmatch(r"'[^']*'", text):
        return text[1:-1]
    assert re.fullmatch(r"[a-z]\w*(\.[\w-]+)+", text), f"the runner of these tests does not know the expression {text!r}"
    found: Any = context
    for part in text.split("."):
        found = found[part]
    return "" if found is None else str({True: "true", False: "false"}.get(found, found))


def truth(text: str, context: dict[str, Any]) -> bool:
    """``A == B``."""
    left, equals, right = text.partition("==")
    assert equals, f"the runner of these tests does not know the condition {text!r}"
    return value(left, context) == value(right, context)


def filled(text: str, context: dict[str, Any]) -> str:
    """Text with its expressions replaced; ``A || B`` is the first that is not empty."""
    return EXPRESSION.sub(lambda match: next((v for part in match[1].split("||") if (v := value(part, context))), ""), text)
