# SPDX-License-Identifier: Apache-2.0
"""Commands in hints, as this command line spells them: steps suggest ``cm run script --tags=...``, whoever calls them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from cm4tiny.cli.parameters import dashed, group_members
from cm4tiny.cli.verbs import VERBS, Verb, Words
from cm4tiny.resolver.language.meta import Script

_COMMAND = re.compile(r"cm run script --tags=(\S+)(.*)")
_FAILED_STEP = re.compile(r"script '([^']+)'(?: \(needed by [^)]*\))? failed in \w+: (.+)", re.DOTALL)
_FLAG = re.compile(r"--[a-z0-9]+(?:_[a-z0-9]+)+")


def translated(text: str) -> str:
    """A text in this command line's words: ``--ram-budget`` for ``--ram_budget``, a verb for a command of CM that says the same."""
    return "\n".join(_line(line) for line in text.split("\n"))


def cause(verb: str, what: str) -> str:
    """What happened, without the step's name and hook in front: nothing for the verb's own step, else the step at the end."""
    found = _FAILED_STEP.fullmatch(what)
    if found is None:
        return what
    alias, rest = found[1], found[2]
    return rest if verb in VERBS and VERBS[verb].alias == alias else f"{rest} (step {alias})"


def _line(line: str) -> str:
    found = _COMMAND.search(line)
    if found is None:
        return _FLAG.sub(lambda flag: dashed(flag[0]), line)
    return line[: found.start()] + (_as_verb(found[1], found[2]) or found[0])


def _as_verb(tags: str, rest: str) -> str:
    """The command line of a verb; empty if no verb says the same."""
    words = tags.split(",")
    plain = {word for word in words if not word.startswith("_")}
    verb = next((verb for verb in VERBS.values() if plain - {"cm4tiny"} == set(verb.tags.split(","))), None)
    if verb is None:
        return ""
    from cm4tiny.cli.engine import script_of

    script = script_of(verb.alias)
    typed = [_as_word(verb, script, word[1:]) for word in words if word.startswith("_")]
    if not all(typed):
        return ""
    flags = _FLAG.sub(lambda flag: dashed(flag[0]), rest)
    return f"cm4tiny {shlex.join([verb.name, *(part for parts in typed for part in parts)])}{flags}"


def _as_word(verb: Verb, script: Script, variation: str) -> Iterable[str]:
    """How a variation is typed; nothing if the verb has no word for it."""
    if verb.group and variation in group_members(script, verb.group):
        return (variation,)
    for name, words in verb.words.items():
        if _means(words, script, variation):
            word = next((word for word, chosen in words.choices.items() if chosen == variation), variation)
            return (f"--{dashed(name)}",) if words.switch else (f"--{dashed(name)}", word)
    return ()


def _means(words: Words, script: Script, variation: str) -> bool:
    if words.group:
        return variation in group_members(script, words.group)
    return variation == words.switch or variation in words.choices.values()
