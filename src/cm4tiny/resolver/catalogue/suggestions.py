# SPDX-License-Identifier: Apache-2.0
"""Suggestions for what a request names wrongly: a flag, a tag or a variation, each looked for among all three and in other steps.

Only plausible names are suggested (:func:`cm4tiny.errors.closest`). An empty text means that nothing comes close.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cm4tiny.errors import closest, nearest
from cm4tiny.resolver.language import options
from cm4tiny.resolver.language.meta import Script

if TYPE_CHECKING:
    from cm4tiny.resolver.catalogue.repository import ScriptStore

_LISTED = 3


def flags_of(script: Script) -> set[str]:
    """The flags of a script, its variations and its versions, with underscores."""
    flags = {str(flag) for block in script.blocks for flag in block.get("input_mapping") or ()}
    return {flag.replace("-", "_") for flag in flags | set(script.meta.get("input_description") or ())}


def command(tags: Iterable[str], flag: str = "") -> str:
    """A command to copy, on a line of its own."""
    return f"\ncm run script --tags={','.join(tags)}" + (f" {flag}" if flag else "")


def for_flag(flag: str, value: Any, script: Script, others: Sequence[Script] = (), asked: Sequence[str] = ()) -> str:
    """What a person may have meant by ``--flag=value`` of ``script``, asked for by the tags ``asked``.

    In this order: a variation of that name or value, where exactly this is meant (``--engine=tflm``, ``--kws``); a flag of the script or of
    all scripts; the other steps that have this very flag; a variation with a similar name.
    """
    own, tags = flags_of(script), [word for word in asked if word] or list(script.tag_list)
    exact = _variation_of_value(flag, value, script)
    if exact:
        return f"it is a variation, not a flag: add '_{exact}' to the tags{command((*tags, f'_{exact}'))}"
    known = own.union(name for name, option in options.OPTIONS.items() if option.available)
    close = nearest(f"--{flag}", sorted(f"--{name}" for name in known), count=2)
    elsewhere = [other for other in others if other is not script and flag in flags_of(other)]
    if not elsewhere:
        near = closest(flag, script.variations)[:1]
        as_variation = f"did you mean the variation '_{near[0]}'?{command((*tags, f'_{near[0]}'))}" if near else ""
        return close or as_variation
    named = ", ".join(f"'{other.alias}'" for other in elsewhere[:_LISTED])
    given = f"--{flag}" if value is True else f"--{flag}={value}"
    belongs = f"--{flag} belongs to {'the step' if len(elsewhere) == 1 else 'the steps'} {named}"
    return f"{close} Or: {belongs}" if close else f"{belongs}; for example:{command(elsewhere[0].tag_list, given)}"


def _variation_of_value(flag: str, value: Any, script: Script) -> str:
    """The variation that ``--flag=value`` names: by its group and the value, or by the flag alone."""
    names = list(script.variations)
    groups = {str(block.get("group", "")) for block in script.variations.values()}
    if value is True or str(value).lower() == "yes":
        return _same(flag, names)
    if flag in groups:
        return _same(str(value), [name for name in names if script.variations[name].get("group") == flag])
    return ""


def _same(name: str, names: Iterable[str]) -> str:
    plain = name.lstrip("_").casefold()
    return next((other for other in names if other.casefold() == plain), "")


def for_tags(unknown: Iterable[str], tags: Sequence[str], store: ScriptStore) -> str:
    """What may be meant by tags that no script has."""
    all_tags = sorted({tag for script in store.scripts for tag in script.tags})
    texts = []
    for tag in unknown:
        rest = set(tags) - {tag}
        owners = [script for script in store.scripts if rest <= script.tags and rest]
        variation = next((found for script in owners if (found := _same(tag, script.variations))), "")
        if variation:
            others = (other for other in tags if other != tag)
            texts.append(f"'{tag}' is a variation: write '_{variation}'{command((*others, f'_{variation}'))}")
        else:
            texts.append(nearest(tag, all_tags))
    return "\n".join(filter(None, texts))


def for_variations(missing: Iterable[str], found: Sequence[Script], asked: Sequence[str], store: ScriptStore) -> str:
    """What may be meant by variations that none of the scripts ``found`` has; ``asked`` are the tags and variations of the request."""
    known = sorted({name for script in found for name in script.variations})
    texts = []
    for name in missing:
        close = closest(name, known)[:_LISTED]
        if close:
            line = f"did you mean {' or '.join(repr('_' + match) for match in close)}?"
            right = [f"_{close[0]}" if word == f"_{name}" else word for word in asked]
            texts.append(line + (command(right) if len(close) == 1 else ""))
            continue
        flag = next((given for script in found for given in sorted(flags_of(script)) if given.casefold() == name.casefold()), "")
        tag = next((tag for script in store.scripts for tag in script.tag_list if tag.casefold() == name.casefold()), "")
        elsewhere = [script for script in store.scripts if name in script.variations and script not in found]
        elsewhere.sort(key=lambda script: not script.own)
        if flag:
            texts.append(f"'{name}' is a flag: write --{flag}=VALUE")
        elif elsewhere:
            texts.append(_elsewhere(name, elsewhere))
        elif tag:
            texts.append(f"'{name}' is a tag: write it without '_'")
    return "\n".join(texts)


def _elsewhere(name: str, scripts: Sequence[Script]) -> str:
    named = ", ".join(f"'{script.alias}'" for script in scripts[:_LISTED])
    return f"'_{name}' belongs to {named}{command((*scripts[0].tag_list, f'_{name}'))}"


def for_name(name: str, store: ScriptStore) -> str:
    """What may be meant by an alias that no script has."""
    return nearest(name, sorted({script.alias for script in store.scripts}))
