# SPDX-License-Identifier: Apache-2.0
"""From tags to one script.

Scripts that lack a requested variation are not candidates. Nothing here asks a question: an ambiguity is an error that lists the
candidates, unless the caller takes the first one (``quiet``).
"""

from __future__ import annotations

from collections.abc import Iterable

from cm4tiny.errors import AmbiguousScriptError, ScriptNotFoundError, UsageError, VariationError
from cm4tiny.resolver.catalogue import suggestions
from cm4tiny.resolver.catalogue.repository import ScriptStore
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.language.query import ScriptQuery, has_variation


def candidates(store: ScriptStore, query: ScriptQuery, name: str = "") -> list[Script]:
    """Scripts that have the tags (and the name, if one is given), whatever their variations."""
    wanted, unwanted = set(query.tags), set(query.excluded_tags)
    pool = [script for script in store.find(name) if wanted <= script.tags] if name else store.with_tags(query.tags)
    return [script for script in pool if unwanted.isdisjoint(script.tags)]


def select(store: ScriptStore, query: ScriptQuery, *, name: str = "", quiet: bool = False, needed_by: str = "") -> Script:
    """The one script that a query names.

    This project's scripts go before those of other repositories; then the meta's ``sort`` and the path order them. Of several of this
    project's scripts the one with the lowest ``sort`` is meant.

    Args:
        store: where to look.
        query: tags and variations.
        name: alias or uid, if the user named the script.
        quiet: take the first of several candidates.
        needed_by: the script whose dependency this is, for the message.

    Raises:
        ScriptNotFoundError: no script has these tags.
        VariationError: a script has the tags, none has the variations.
        AmbiguousScriptError: several scripts fit.
        MetaError: the script shares its uid with another one of its repository (of this project's, or if it was asked for by uid).
    """
    if not (query.tags or name):
        raise UsageError(
            "no script is named",
            why="there are neither tags nor an alias",
            hint="name one, for example:\ncm run script --tags=reproduce,mlperf,tiny",
        )
    found = candidates(store, query, name)
    if not found:
        raise _not_found(store, query, name, needed_by)
    wanted = [*query.variations, *query.excluded_variations]
    fitting = [script for script in found if all(has_variation(script, variation) for variation in wanted)]
    if not fitting:
        raise _no_variation(store, found, query, needed_by)
    preferred = [script for script in fitting if script.own] or fitting
    preferred.sort(key=lambda script: (script.meta.get("sort", 0), str(script.path)))
    by_uid = bool(name) and name.rpartition(",")[2] == preferred[0].uid
    if len(preferred) > 1 and not (quiet or by_uid or _comes_first(preferred)):
        raise _ambiguous(preferred, query, needed_by)
    if preferred[0].own or by_uid:
        store.refuse_duplicates(preferred[0])
    return preferred[0]


def _comes_first(ordered: list[Script]) -> bool:
    """Whether the first of this project's scripts says by its ``sort`` that the tags which it shares with others mean it."""
    first, second = ordered[:2]
    return first.own and bool(first.meta.get("sort", 0) < second.meta.get("sort", 0))


def _place(needed_by: str) -> str:
    return f", which script '{needed_by}' needs" if needed_by else ""


def _not_found(store: ScriptStore, query: ScriptQuery, name: str, needed_by: str) -> ScriptNotFoundError:
    if name and not store.find(name):
        what = f"there is no script '{name}'{_place(needed_by)}"
        return ScriptNotFoundError(what, hint=suggestions.for_name(name, store) or "list the scripts:\ncm find script")
    what = f"no script has the tags '{query}'{_place(needed_by)}"
    unreadable = "".join(f"; {text}" for text in store.warnings[:3])
    all_tags = {tag for script in store.scripts for tag in script.tags}
    unknown = [tag for tag in query.tags if tag not in all_tags]
    if unknown:
        hint = suggestions.for_tags(unknown, query.tags, store) or "list the scripts:\ncm find script"
        return ScriptNotFoundError(what, why=f"no script at all has {_quoted(unknown)}{unreadable}", hint=hint)
    ranked = sorted(store.scripts, key=lambda script: (-len(script.tags & set(query.tags)), not script.own, len(script.tags), script.alias))
    near = [script for script in ranked if script.tags & set(query.tags)][:3]
    hint = "the nearest scripts:\n" + "\n".join(f"{script.alias} ({','.join(script.tag_list)})" for script in near)
    return ScriptNotFoundError(what, why=f"each tag exists, no script has all of them{unreadable}", hint=hint)


def _no_variation(store: ScriptStore, found: list[Script], query: ScriptQuery, needed_by: str) -> VariationError:
    wanted = (*query.variations, *query.excluded_variations)
    missing = [name for name in wanted if not any(has_variation(script, name) for script in found)]
    scripts = ", ".join(f"'{script.alias}'" for script in found[:3])
    if not missing:
        why = f"no single one of {scripts} has all of them"
        return VariationError(f"no script has the variations of '{query}'{_place(needed_by)}", why=why, hint="ask for fewer variations")
    known = sorted({name for script in found for name in script.variations})
    listed = ", ".join(f"_{name}" for name in known[:20]) or "none"
    return VariationError(
        f"script {scripts} has no variation {_quoted([f'_{name}' for name in missing])}{_place(needed_by)}",
        why=f"its variations are: {listed}" + (f" and {len(known) - 20} more" if len(known) > 20 else ""),
        hint=suggestions.for_variations(missing, found, str(query).split(","), store) or "choose one of them",
    )


def _quoted(words: Iterable[str]) -> str:
    return " or ".join(f"'{word}'" for word in words)


def _ambiguous(found: list[Script], query: ScriptQuery, needed_by: str) -> AmbiguousScriptError:
    listed = "\n".join(f"       {script.alias} ({','.join(script.tag_list)})  in {script.repo_alias or script.path}" for script in found)
    return AmbiguousScriptError(
        f"{len(found)} scripts have the tags '{query}'{_place(needed_by)}",
        why=f"candidates:\n{listed}",
        hint="add a tag that only one of them has, name its alias, or take the first one with --quiet",
    )
