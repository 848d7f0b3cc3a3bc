# SPDX-License-Identifier: Apache-2.0
"""What a person reads who asks for something wrongly, and what was done before they read it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.edge import Edge, in_folder
from support.no_network import no_network

from cm4tiny.benchmarks.embedded import embedded_model
from cm4tiny.errors import Cm4TinyError, nearest
from cm4tiny.network import offline_as
from cm4tiny.wheels import GCC_WHEEL, ZIG_WHEEL, install_wheel
from ledger.outcome import Outcome, attempt


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def _work(folder: Path) -> Path:
    work = folder / "work"
    (work / "folder").mkdir(parents=True)
    (work / "file").write_text("text\n")
    (work / "kws.tflite").write_bytes(embedded_model("kws").read_bytes())
    return work


def refused_request(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """``cm run script`` with ``words``, in a folder with a file, a folder and a model; refused only if nothing was begun or written."""
    work, edge = _work(folder), Edge(folder / "home")
    before = sorted(work.rglob("*"))
    with _environment(CM_TINY_CACHE=str(folder / "home" / "cache")):
        answer = in_folder(work, edge, *inputs["words"])
    text = str(answer.get("error", ""))
    if answer["return"] == 0:
        return Outcome("wrong", text="the request was accepted")
    if edge.started or edge.left or sorted(work.rglob("*")) != before:
        return Outcome("wrong", text=f"something was done before the refusal: {edge.started} {edge.left}; {text}")
    if "hint: " not in text:
        return Outcome("wrong", text=f"no hint: {text}")
    return Outcome("refused", text=text + "!")


def copied_command(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The last command line of a refusal, as a terminal shows it with cmind's "!", planned as it stands."""
    shown = refused_request(inputs, folder / "first")
    commands = [line.strip() for line in shown.text.splitlines() if line.strip().startswith("cm run script ")]
    if shown.verdict != "refused" or not commands:
        return Outcome("wrong", text=shown.text)
    work = _work(folder / "second")
    words = commands[-1].removeprefix("cm run script ").split()
    answer = in_folder(work, Edge(folder / "second" / "home"), *words, "--plan")
    return Outcome("correct" if answer["return"] == 0 else "wrong", text=f"{commands[-1]}: {answer.get('error', 'can be run')}")


def suggestion(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """The suggestion for ``typed`` among ``known``."""
    found = nearest(inputs["typed"], inputs["known"])
    return Outcome("noted" if found else "correct", text=found or "no suggestion")


def offline_compiler(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A compiler's wheel with the network forbidden by ``variable`` or by the step's ``key``; wrong if the network was tried."""
    wheel = {"gcc": GCC_WHEEL, "zig": ZIG_WHEEL}[inputs["wheel"]]
    with pytest.MonkeyPatch.context() as patch, no_network(folder, patch) as network:
        patch.setenv("CM_TINY_CACHE", str(folder / "cache"))
        patch.setenv("CM_TINY_OFFLINE", str(inputs.get("variable", "")))
        with offline_as({"CM_TINY_OFFLINE": str(inputs.get("key", ""))}):
            outcome = attempt(lambda: Outcome("wrong", text=f"there is a compiler: {install_wheel(wheel)}"))
        if network.attempts:
            return Outcome("wrong", text=f"the network was tried: {network.attempts}")
    return outcome


def offline_step(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """A step with the network forbidden: refused, or wrong if the network was tried."""
    work, edge = _work(folder), Edge(folder / "home")
    (folder / "stand-ins").mkdir()
    with pytest.MonkeyPatch.context() as patch, no_network(folder / "stand-ins", patch) as network:
        patch.setenv("CM_TINY_CACHE", str(folder / "home" / "cache"))
        patch.setenv("CM_TINY_OFFLINE", "yes")
        answer = in_folder(work, edge, *inputs["words"])
        if network.attempts:
            return Outcome("wrong", text=f"the network was tried: {network.attempts}")
    return Outcome("refused" if answer["return"] > 0 else "correct", text=str(answer.get("error", "")))


def printed_error(inputs: Mapping[str, Any], folder: Path) -> Outcome:
    """An error as cmind prints it: the lines after ``hint``, with the "!" that cmind appends."""
    text = Cm4TinyError(inputs["what"], hint=inputs["hint"]).as_cm()["error"] + "!"
    last = text.splitlines()[-1]
    damaged = last != "!" and "\n" in inputs["hint"]
    return Outcome("wrong" if damaged else "correct", text=text)
