# SPDX-License-Identifier: Apache-2.0
"""The ``tests`` key of a meta: which runs ``cm test script`` makes.

``tests: {run_inputs: [{variations_list: [...], env: {...}, ...}]}``. Each input is a run with the script's tags and, one after another, the
entries of ``variations_list`` (``test-all-variations: true`` for every variation that is in no group); its other keys are flags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cm4tiny.errors import MetaError, NotAvailableError, UsageError
from cm4tiny.resolver.language.meta import Script, says_yes

_OWN_KEYS = ("variations_list", "test-all-variations", "id", "docker")


def runs_of(script: Script, i: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The inputs of the runs.

    Args:
        script: has a ``tests`` key.
        i: ``test_input_index`` (a number from 1, or ``3+`` for all from there) and ``test_input_id`` choose some; ``env`` goes to all.

    Raises:
        MetaError: the key has the wrong shape.
        UsageError: the input does not exist.
        NotAvailableError: an input asks for Docker.
    """
    tests = script.meta["tests"]
    inputs = tests.get("run_inputs", [{}]) if isinstance(tests, Mapping) else None
    if not isinstance(inputs, list) or not all(isinstance(given, Mapping) for given in inputs):
        raise MetaError(
            f"'tests' of script '{script.alias}' is not understood", hint="write tests: {run_inputs: [{variations_list: [...]}]}"
        )
    wanted = str(i.get("test_input_id") or "")
    for given in _chosen(inputs, str(i.get("test_input_index") or ""), script.alias):
        if wanted and str(given.get("id", "")) != wanted:
            continue
        if says_yes(given, "docker"):
            what = f"a test of script '{script.alias}' runs in Docker, which this engine does not do"
            raise NotAvailableError(what, hint="choose another one with --test_input_index=N")
        more = i.get("env")
        env = {**(given.get("env") or {}), **(more if isinstance(more, Mapping) else {})}
        flags = {key: value for key, value in given.items() if key not in (*_OWN_KEYS, "env")}
        for variations in _variations(script, given):
            tags = ",".join([*script.tag_list, *variations])
            yield {**flags, "tags": tags, **({"env": env} if env else {})}


def _chosen(inputs: list[Any], index: str, alias: str) -> list[Any]:
    if not index:
        return inputs
    number, rest = index.rstrip("+"), index.endswith("+")
    if not number.isdigit() or not 1 <= int(number) <= len(inputs):
        raise UsageError(f"script '{alias}' has no test input {index}", why=f"it has {len(inputs)}", hint="count from 1; 2+ is all from 2")
    first = int(number) - 1
    return inputs[first:] if rest else inputs[first : first + 1]


def _variations(script: Script, given: Mapping[str, Any]) -> list[list[str]]:
    if says_yes(given, "test-all-variations"):
        blocks = script.variations.items()
        names = [name for name, block in blocks if not block.get("group") and not says_yes(block, "exclude-in-test")]
        return [[f"_{name}"] for name in names if "," not in name and not name.endswith(".#")]
    listed = given.get("variations_list") or [""]
    return [[word if word.startswith("_") else f"_{word}" for word in str(entry).split(",") if word] for entry in listed]
