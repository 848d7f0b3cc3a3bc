# SPDX-License-Identifier: Apache-2.0
"""Reference pages of scripts, made from their metas: tags, variations, flags, environment, dependencies, outputs.

``docs/reference/scripts.md`` of this project is :func:`whole_page` of its own scripts; ``tools/reference_pages.py`` writes it and a test
compares it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cm4tiny.resolver.language.inputs import Input, inputs_of
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.language.vocabulary import CONDITIONS, DEP_LISTS

_LISTS = {
    "deps": "first", "prehook_deps": "after `preprocess`", "posthook_deps": "after `run.sh`", "post_deps": "after `postprocess`",
}  # fmt: skip


_FIRST = (
    "All steps, with their tags, variations, flags and results. The page is written from the metas by\n`python tools/reference_pages.py`."
)


def whole_page(scripts: Iterable[Script]) -> str:
    """One page with a table of contents and a section for each script, in order of their names."""
    ordered = sorted(scripts, key=lambda script: script.alias)
    lines = ["# Scripts", "", _FIRST, ""]
    lines += _table(
        ("script", "tags", "what it does"), [(f"[{s.alias}](#{s.alias})", _code(",".join(s.tag_list)), title_of(s)) for s in ordered]
    )
    return "\n".join([*lines, "", ""]) + "\n".join(page_of(script, level=2) for script in ordered)


def page_of(script: Script, *, level: int = 1) -> str:
    """The page of one script, its headings beginning with ``level``."""
    mark = "#" * level
    meta = script.meta
    lines = [f"{mark} {script.alias}", ""]
    about = _summary(script) or title_of(script)
    lines += [about if about.endswith((".", ":")) else f"{about}.", ""] if about else []
    lines += ["```bash", f"cm run script --tags={','.join(script.tag_list)}", "```", ""]
    lines += [f"uid `{script.uid}`" + (", cached" if str(meta.get("cache", "")).lower() == "true" else ", not cached"), ""]
    for title, text in _sections(script):
        if text:
            lines += [f"{mark}# {title}", "", *text, ""]
    return "\n".join(lines).rstrip() + "\n"


def _sections(script: Script) -> Iterator[tuple[str, list[str]]]:
    meta = script.meta
    yield "Variations", _variations(script)
    yield "Flags", _flags(script)
    yield "Environment", _environment(meta)
    yield "Versions", _versions(meta)
    yield "Dependencies", _dependencies(meta)
    outputs = [str(key) for key in meta.get("new_env_keys") or ()]
    states = [str(key) for key in meta.get("new_state_keys") or ()]
    rows = [("environment", ", ".join(map(_code, outputs)))] if outputs else []
    rows += [("state", ", ".join(map(_code, states)))] if states else []
    yield "Results", _table(("", "keys"), rows)


def title_of(script: Script) -> str:
    """What the script is for, in a few words: from its meta, or the heading of its README."""
    named = next((str(script.meta[key]).strip() for key in ("name", "desc", "description") if script.meta.get(key)), "")
    heading = next((part[2:].strip() for part in _readme(script) if part.startswith("# ")), "")
    return named or heading or str(script.meta.get("category") or "")


def _summary(script: Script) -> str:
    """The first plain paragraph of its README."""
    return next((part for part in _readme(script) if part[0].isalnum()), "")


def _readme(script: Script) -> list[str]:
    """Paragraphs without indented ones, each on one line."""
    file = script.path / "README-extra.md"
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip() and not part.startswith(("    ", "\n    "))]


def _variations(script: Script) -> list[str]:
    rows = []
    for name, block in script.variations.items():
        facts = [str(block["desc"])] if block.get("desc") else []
        facts += [f"with {_code(f'_{other}')}" for other in block.get("base") or ()]
        facts += [f"same as {_code('_' + str(block['alias']))}"] if block.get("alias") else []
        facts += [f"sets {_code(f'{key}={_text(value)}')}" for key, value in (block.get("env") or {}).items()]
        group = str(block.get("group", "")) + (" (default)" if "default" in block else "")
        rows.append((_code(f"_{name}"), group, "; ".join(facts)))
    return _table(("variation", "group", "effect"), rows)


def _flags(script: Script) -> list[str]:
    rows = []
    for given in inputs_of(script).values():
        choices = f" ({', '.join(given.choices)})" if given.choices else ""
        meaning = f"alias of {_code(f'--{given.alias_of}')}" if given.alias_of else f"{given.desc}{choices}".strip()
        rows.append((_code(f"--{given.flag}"), _code(given.key), meaning, _without(given)))
    return _table(("flag", "sets", "meaning", "default"), rows)


def _environment(meta: Mapping[str, Any]) -> list[str]:
    rows = [(_code(str(key)), _code(_text(value)), "default") for key, value in (meta.get("default_env") or {}).items()]
    rows += [(_code(str(key)), _code(_text(value)), "always") for key, value in (meta.get("env") or {}).items()]
    rows += [(_code(str(key)), _code(_text(value)), "here and in all dependencies") for key, value in (meta.get("const") or {}).items()]
    return _table(("key", "value", "when"), rows)


def _versions(meta: Mapping[str, Any]) -> list[str]:
    versions = [_code(str(version)) for version in meta.get("versions") or ()]
    default = meta.get("default_version")
    return ([", ".join(versions) + "."] if versions else []) + ([f"Default: {_code(str(default))}."] if default else [])


def _dependencies(meta: Mapping[str, Any]) -> list[str]:
    rows = []
    for kind in DEP_LISTS:
        for dep in meta.get(kind) or ():
            when = [_condition(key, dep[key]) for key in sorted(CONDITIONS & set(dep))]
            rows.append((_LISTS[kind], _code(str(dep.get("tags", ""))), ", ".join(map(str, dep.get("names") or ())), "; ".join(when)))
    return _table(("when", "tags", "names", "condition"), rows)


def _condition(kind: str, keys: Any) -> str:
    verb, joint = ("if", " and ") if kind.startswith("enable") else ("not if", " and ")
    if "any" in kind:
        joint = " or "
    parts = [
        f"{_code(str(key))} is {' or '.join(_text(v) for v in (values if isinstance(values, list) else [values]))}"
        for key, values in (keys or {}).items()
    ]
    return f"{verb} {joint.join(parts)}"


def _without(given: Input) -> str:
    """What happens without a flag. A default of other repositories' metas may be a sentence."""
    if given.alias_of:
        return ""
    return given.otherwise or (given.default if " " in given.default else _code(given.default))


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    cells = [" | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows]
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *(f"| {cell} |" for cell in cells)]
