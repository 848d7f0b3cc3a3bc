# SPDX-License-Identifier: Apache-2.0
"""click's complaints about a command line as this project's errors: what is wrong, and what was probably meant."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cm4tiny.cli.group import VERBS
from cm4tiny.cli.parameters import SectionedOption, dashed
from cm4tiny.errors import Cm4TinyError, UsageError, nearest


def verb_of(words: Sequence[str]) -> str:
    """The verb of a command line; empty if it has none."""
    return next((word for word in words if word in VERBS), "")


def wants_json(words: Sequence[str]) -> bool:
    """Whether an answer as JSON is asked for, of a command line that may be wrong."""
    before = list(words[: words.index("--")] if "--" in words else words)
    return "--json" in before


def as_usage_error(error: click.ClickException, words: Sequence[str]) -> Cm4TinyError:
    """The error to show for one of click's."""
    ctx = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchOption):
        return _no_such_option(error, ctx, words)
    if isinstance(error, click.FileError):
        return UsageError(f"{error.ui_filename} cannot be opened", why=error.message, hint="check the path and its permissions")
    said = error.format_message().rstrip(".")
    what = said[:1].lower() + said[1:]
    return UsageError(what, hint=_surplus(what, ctx) or _help(ctx, words))


def _surplus(what: str, ctx: click.Context | None) -> str:
    if "unexpected extra argument" not in what or ctx is None:
        return ""
    return f"one argument is taken at most; see the usage:\n{ctx.command_path} --help"


def _help(ctx: click.Context | None, words: Sequence[str]) -> str:
    path = ctx.command_path if ctx is not None else f"cm4tiny {verb_of(words)}".rstrip()
    return f"see the options:\n{path} --help"


def _no_such_option(error: click.NoSuchOption, ctx: click.Context | None, words: Sequence[str]) -> UsageError:
    name = "--" + dashed(error.option_name.lstrip("-"))
    command = ctx.command if ctx is not None else None
    path = ctx.command_path if ctx is not None else "cm4tiny"
    options = [param for param in command.params if isinstance(param, click.Option) and not param.hidden] if command else []
    known = [text for param in options for text in (*param.opts, *param.secondary_opts) if text.startswith("--")]
    hint = _meant(name, known, command, path, words)
    why = "" if hint or not known else f"its options are {', '.join(known)}, --help"
    return UsageError(f"{path} has no option {name}", why=why, hint=hint or f"see the options:\n{path} --help")


def _meant(name: str, known: Sequence[str], command: click.Command | None, path: str, words: Sequence[str]) -> str:
    """What someone probably meant by an option that does not exist; empty if nothing comes close."""
    if name == "--tags":
        return f"tags go with CM's own command:\ncm run script {next((word for word in words if word.startswith('--tags')), '--tags=...')}"
    value = _as_value(name, command, path)
    if value:
        return value
    close = nearest(name, known, count=2)
    elsewhere = [verb for verb in _verbs_with(name) if not path.endswith(f" {verb}")]
    if not elsewhere:
        return close
    belongs = f"{name} belongs to {', '.join(elsewhere[:3])}; see:\ncm4tiny {elsewhere[0]} --help"
    return f"{close} Or: {belongs}" if close else belongs


def _as_value(name: str, command: click.Command | None, path: str) -> str:
    """``--kws`` is a benchmark, ``--energy`` a mode."""
    from cm4tiny.cli.parameters import WordType

    plain = name.lstrip("-").casefold().replace("-", "_")
    for param in command.params if command else ():
        kind = param.type
        if not isinstance(kind, WordType):
            continue
        word = next((word for word in kind.words if word.casefold() == plain), "")
        if word and isinstance(param, SectionedOption):
            return f"it is a value of {param.opts[-1]}:\n{path} {param.opts[-1]} {word}"
        if word:
            return f"it is an argument:\n{path} {word}"
    return ""


def _verbs_with(name: str) -> list[str]:
    """Verbs that have this very option."""
    from cm4tiny.cli.group import cli

    ctx = click.Context(cli)
    found = []
    for verb in VERBS:
        command = cli.get_command(ctx, verb)
        if command is not None and any(name in param.opts for param in command.params):
            found.append(verb)
    return found
