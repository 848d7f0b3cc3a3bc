# SPDX-License-Identifier: Apache-2.0
"""The options and arguments of a verb, made from its step; and from what was typed back to the step's tags and flags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from cm4tiny.cli.verbs import ENGINE_FLAGS, SECTIONS, Verb, Words
from cm4tiny.errors import UsageError, nearest
from cm4tiny.resolver.language import options
from cm4tiny.resolver.language.inputs import Input, inputs_of
from cm4tiny.resolver.language.meta import Script

WHAT, OTHER, COMMAND = "What runs", "Options", "This command"
HEADINGS = (WHAT, OTHER, *(heading for heading, _ in SECTIONS), COMMAND)
"""Of ``--help``, in their order."""
SHORT = {"outdirname": "-o"}
_METAVARS = {
    "file": "FILE", "folder": "DIR", "paths": "PATHS", "output folder": "DIR", "count": "N", "size": "BYTES", "sha256": "DIGEST",
}  # fmt: skip
_WORK_FOLDER = Input("outdirname", options.TO_ENV["outdirname"], "output folder", "the folder to work in", otherwise="the current folder")
_COMPLETED_AS = {"file": "file", "paths": "file", "folder": "dir", "output folder": "dir"}


class SectionedOption(click.Option):
    """An option that stands below a heading of ``--help``."""

    section: str = COMMAND


class InputType(click.ParamType):  # type: ignore[type-arg]  # generic in recent releases of click only
    """The value of an input of a step, checked as the step's own check does it: before anything is built.

    Args:
        given: the input, named as the user types it.
    """

    def __init__(self, given: Input) -> None:
        self.given = given
        self.name = given.kind or "text"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str | None:
        """What the help shows for a value."""
        if self.given.kind == "choice":
            return "|".join(self.given.choices)
        return _METAVARS.get(self.given.kind, "TEXT")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text with ``~`` expanded; raises UsageError if the step would refuse it."""
        text = str(self.given.expanded(str(value)))
        if not text.strip():
            raise UsageError(
                f"{_shown(param, self.given)} was given an empty value", why=self.given.desc, hint="give a value, or leave it out"
            )
        self.given.check(text, Path.cwd())
        return text

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Choices, files or folders."""
        if self.given.choices:
            return [CompletionItem(choice) for choice in self.given.choices if choice.startswith(incomplete)]
        kind = _COMPLETED_AS.get(self.given.kind)
        return [CompletionItem(incomplete, type=kind)] if kind else []


class WordType(click.ParamType):  # type: ignore[type-arg]
    """One of several words, upper and lower case and ``-`` for ``_`` aside.

    Args:
        what: they are, for the message.
        words: the choices.
        flag: the option, as the user types it; empty for an argument.
        elsewhere: what a word that is none of them may mean: word -> hint.
    """

    name = "word"

    def __init__(self, what: str, words: Iterable[str], flag: str = "", elsewhere: Mapping[str, str] | None = None) -> None:
        self.what = what
        self.words = tuple(words)
        self.flag = flag
        self.elsewhere = elsewhere or {}

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str | None:
        """What the help shows for a value."""
        return "|".join(self.words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word as the step writes it."""
        text = str(value)
        plain = text.strip().lstrip("_").casefold().replace("-", "_")
        found = next((word for word in self.words if word.casefold() == plain), None)
        if found is not None:
            return found
        listed = ", ".join(self.words)
        hint = self._several(text) or self.elsewhere.get(plain) or self._meant(text) or f"use one of {listed}"
        given = f"--{self.flag}={text}" if self.flag else f"'{text}'"
        raise UsageError(f"{given} is not a valid {self.what}", why=f"{self.what}s are {listed}", hint=hint)

    def _meant(self, text: str) -> str:
        begun = [word for word in self.words if len(text) > 1 and word.casefold().startswith(text.casefold())]
        return f"did you mean '{begun[0]}'?" if len(begun) == 1 else nearest(text, self.words)

    def _several(self, text: str) -> str:
        parts = text.split(",")
        known = len(parts) > 1 and not self.flag and all(part in self.words for part in parts)
        return f"separate them by blanks: {' '.join(parts)}" if known else ""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The words that begin so."""
        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


def _shown(param: click.Parameter | None, given: Input) -> str:
    return param.opts[0] if isinstance(param, click.Option) else f"--{given.flag}"


def dashed(name: str) -> str:
    """A flag's name as this command line writes it."""
    return name.replace("_", "-")


def option(name: str, section: str, *, help: str, short: str = "", default: str = "", **more: Any) -> SectionedOption:
    """An option of the command line; nothing is its value unless it is given.

    Args:
        name: as the step writes it, with underscores.
        section: the heading of ``--help`` that it stands below.
        help: its meaning.
        short: one more spelling.
        default: what counts without it, shown in the help.
        more: of :class:`click.Option`.
    """
    text = f"{help}  [default: {default}]" if default else help
    made = SectionedOption([*([short] if short else []), f"--{dashed(name)}", name], help=text, **more)
    made.section = section
    return made


# --- from a step to parameters ---------------------------------------------------------------------------------------------------------
def group_members(script: Script, group: str) -> tuple[str, ...]:
    """The variations of a group, in the order of the meta, without other names of them."""
    return tuple(name for name, block in script.variations.items() if block.get("group") == group)


def default_of(script: Script, group: str) -> str:
    """The default variation of a group; empty if it has none."""
    return next((name for name in group_members(script, group) if script.variations[name].get("default")), "")


def parameters_of(verb: Verb, script: Script) -> list[click.Parameter]:
    """The argument and the options of a verb, apart from those that every command has."""
    inputs = {name: given for name, given in inputs_of(script).items() if not given.alias_of}
    found: list[click.Parameter] = list(_argument(verb, script, inputs))
    found += [_word_option(name, words, script) for name, words in verb.words.items()]
    found += [_input_option(given) for name, given in inputs.items() if name not in verb.words and name != verb.argument]
    found += [_engine_option(name, takes) for name, takes in ENGINE_FLAGS.items()]
    if "outdirname" not in inputs:
        found.append(_input_option(_WORK_FOLDER))
    if "offline" not in inputs:
        found.append(option("offline", "Sources", help="never use the network", default="the variable CM_TINY_OFFLINE", is_flag=True))
    return found


def argument_help(verb: Verb, script: Script) -> tuple[str, str]:
    """Name and meaning of a verb's argument; empty if it has none."""
    if verb.group:
        return f"[{verb.group.upper()}]{'...' if verb.several else ''}", verb.argument_help
    if verb.argument:
        given = inputs_of(script)[verb.argument]
        return f"[{_METAVARS.get(given.kind, 'TEXT')}]", given.text
    return "", ""


def _argument(verb: Verb, script: Script, inputs: Mapping[str, Input]) -> Iterator[click.Parameter]:
    if verb.group:
        words = group_members(script, verb.group)
        kind = WordType(verb.group, words, elsewhere=_other_words(verb, script))
        shown = argument_help(verb, script)[0]
        yield click.Argument(["argument"], type=kind, nargs=-1 if verb.several else 1, required=False, metavar=shown)
    elif verb.argument:
        given = inputs[verb.argument]
        yield click.Argument(["argument"], type=InputType(given), required=False, metavar=argument_help(verb, script)[0])
        yield option(given.flag, OTHER, help="the same as the argument", type=InputType(given), hidden=True)


def _other_words(verb: Verb, script: Script) -> dict[str, str]:
    """What someone means who gives a word of another option as the argument: ``cm4tiny run energy``."""
    found = {}
    for name, words in verb.words.items():
        for member in group_members(script, words.group) if words.group else words.choices:
            found[member.casefold()] = f"it is a value of --{dashed(name)}: write --{dashed(name)} {member}"
        if words.switch:
            found[words.switch.casefold()] = f"it is an option: write --{dashed(name)}"
    return found


def _word_option(name: str, words: Words, script: Script) -> SectionedOption:
    if words.switch:
        return option(name, WHAT, help=words.meaning, is_flag=True)
    if words.group:
        members = group_members(script, words.group)
        default = default_of(script, words.group)
    else:
        members, default = tuple(words.choices), next(word for word, variation in words.choices.items() if not variation)
    return option(name, WHAT, help=words.meaning, default=default, type=WordType(name, members, flag=dashed(name)))


def _section(flag: str) -> str:
    return next((heading for heading, flags in SECTIONS if flag in flags), OTHER)


def _input_option(given: Input) -> SectionedOption:
    shown = replace(given, flag=dashed(given.flag))
    default = given.default or given.otherwise
    if given.kind == "switch":
        return option(given.flag, _section(given.flag), help=given.desc, default=default, is_flag=True)
    return option(
        given.flag, _section(given.flag), help=given.desc, default=default, short=SHORT.get(given.flag, ""), type=InputType(shown)
    )  # fmt: skip


def _engine_option(name: str, takes: str) -> SectionedOption:
    about = options.OPTIONS[name].help.removeprefix(f"--{name}=FILE ")
    if not takes:
        return option(name, COMMAND, help=about, is_flag=True)
    given = Input(name, "", "file" if name == "locked" else "text", about)
    return option(name, COMMAND, help=about, metavar=takes, type=InputType(given))


# --- from what was typed to a request --------------------------------------------------------------------------------------------------
def requests_of(verb: Verb, script: Script, typed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the engine is asked for: tags and flags of one request, or of one for each benchmark where several but not all are named.

    Args:
        verb: that was called.
        script: its step.
        typed: the parameters' values by name; None and False for what was not given.

    Raises:
        UsageError: two of them exclude each other.
    """
    given = {name: value for name, value in typed.items() if value not in (None, False, ())}
    argument = given.pop("argument", ())
    variations = _variations(verb, given)
    flags = {name: "yes" if value is True else value for name, value in given.items() if name not in verb.words}
    if verb.argument and argument:
        if verb.argument in flags:
            flag = f"--{dashed(verb.argument)}"
            raise UsageError(f"{flag} and the argument '{argument}' name the same thing", hint=f"leave {flag} out")
        flags[verb.argument] = argument
    members = _named(verb, script, (argument,) if isinstance(argument, str) else argument) if verb.group else []
    if len(members) < 2:
        return [{"tags": _tags(verb, (*members, *variations)), **flags}]
    return [_one_of_several(verb, script, member, variations, flags) for member in members]


def _named(verb: Verb, script: Script, words: Iterable[str]) -> list[str]:
    """The members of the argument's group, each once and none that another one covers; none at all for what ``all`` means."""
    named = list(dict.fromkeys(words))
    if not verb.several:
        return named
    from cm4tiny.benchmarks import chosen_benchmarks  # here: reading the table takes longer than the rest of `--help`

    if "all" not in named and set(named) >= set(chosen_benchmarks("all")):
        named.append("all")
    meant = {name: set(chosen_benchmarks(name)) for name in named}
    left = [name for name in named if not any(meant[name] < other for other in meant.values())]
    return [] if left == ["all"] else left


def _one_of_several(verb: Verb, script: Script, member: str, variations: tuple[str, ...], flags: Mapping[str, Any]) -> dict[str, Any]:
    if flags.get("lock") or flags.get("locked"):
        raise UsageError("a lock file describes one run, and several benchmarks are several runs", hint="name one benchmark, or none")
    folder = flags.get("outdirname") or inputs_of(script)["outdirname"].default
    return {"tags": _tags(verb, (member, *variations)), **flags, "outdirname": f"{folder}/{member}"}


def _variations(verb: Verb, given: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for name, words in verb.words.items():
        if name in given:
            word = str(given[name])
            found.append(words.switch or (word if words.group else words.choices[word]))
    return tuple(variation for variation in found if variation)


def _tags(verb: Verb, variations: Iterable[str]) -> str:
    return ",".join((verb.tags, *(f"_{name}" for name in variations)))
