# SPDX-License-Identifier: Apache-2.0
"""The keys of ``_cm.yaml``: which ones exist, which ones this engine acts on, and what shape their values have.

The list is upstream's, counted over its 295 scripts. A key that upstream honours and this engine does not is known but reported;
help-only keys are accepted silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cm4tiny.errors import nearest

DEP_LISTS = ("deps", "prehook_deps", "posthook_deps", "post_deps")
CONDITIONS = frozenset({"enable_if_env", "enable_if_any_env", "skip_if_env", "skip_if_any_env"})

IDENTITY = frozenset({"alias", "uid", "automation_alias", "automation_uid", "tags", "name"})

#: Understood and acted on, in a script and in its variations and versions.
SHARED = frozenset(
    {
        *DEP_LISTS, "env", "default_env", "const", "state", "const_state", "input_mapping", "new_env_keys", "new_state_keys", "adr",
        "add_deps_recursive", "ad", "add_deps", "cache", "default_version", "script_name", "warning", "update_meta_if_env",
    }
)  # fmt: skip

TOP_ONLY = frozenset(
    {
        "variations", "versions", "default_variation", "valid_variation_combinations", "invalid_variation_combinations", "version",
        "version_min", "version_max", "version_max_usable", "can_force_cache", "extra_cache_tags_from_env", "local_env_keys",
        "clean_env_keys_post_deps", "clean_files", "clean_output_files", "print_env_at_the_end", "print_files_if_script_error", "sort",
        "env_key_mappings", "warnings", "customize", "min_cm_version", "predeps",
    }
)  # fmt: skip

#: Text for readers, tests and documentation: nothing to do in a run.
SILENT = frozenset(
    {
        "desc", "description", "category", "category_sort", "developers", "docs", "gui", "input_description", "tests", "docker",
        "repo_to_report_errors", "deprecated", "private", "tags_help", "prototype", "required_disk_space", "doc", "copyright",
        "default_env_description", "sort_key", "license", "contributors", "input_flags", "maintainers",
        "docker_input_mapping", "default_gui", "variation_groups_order",
    }
)  # fmt: skip

#: Keys of an entry of ``update_meta_if_env``.
UPDATE_KEYS = CONDITIONS | frozenset({"env", "default_env", "state", "adr", "add_deps_recursive", "docker"})

#: Name of the outermost block of a meta.
TOP_LEVEL = "top level"

VARIATION_ONLY = frozenset({"group", "default", "base", "alias", "default_variations"})

DEP_KEYS = frozenset(
    {
        "tags", "names", *CONDITIONS, "env", "const", "state", "const_state", "version", "version_min", "version_max",
        "version_max_usable", "extra_cache_tags", "force_cache", "skip_cache", "force_env_keys", "force_new_env_keys",
        "force_new_state_keys", "inherit_variation_tags", "skip_inherit_variation_groups", "reuse_version", "update_tags_from_env",
        "update_tags_from_env_with_prefix", "adr", "add_deps_recursive", "ad", "add_deps", "dynamic", "skip_if_fake_run", "new", "renew",
        "name", "path", "input", "output", "outdirname", "outbasename", "quiet",
    }
)  # fmt: skip

TOP = IDENTITY | SHARED | TOP_ONLY | SILENT
VARIATION = SHARED | VARIATION_ONLY | SILENT | frozenset({"version", "versions"})
VERSION = SHARED | SILENT

_LISTS = frozenset({*DEP_LISTS, "update_meta_if_env", "tags", "new_env_keys", "new_state_keys", "local_env_keys", "clean_files", "base"})
_MAPPINGS = frozenset(
    {"env", "default_env", "const", "state", "const_state", "input_mapping", "variations", "versions", "default_variations"}
)


def _unknown(keys: Iterator[str], known: frozenset[str], where: str) -> Iterator[str]:
    for key in keys:
        if key in known:
            continue
        suggestion = nearest(key, sorted(known), count=1)
        yield f"{where}: unknown key '{key}'" + (f", {suggestion}" if suggestion else "")


def _shapes(block: Mapping[str, Any], where: str) -> Iterator[str]:
    for key, value in block.items():
        if value is None:
            continue
        if key in _LISTS and not isinstance(value, list):
            yield f"{where}: '{key}' is {type(value).__name__}, not a list"
        elif key in _MAPPINGS and not isinstance(value, Mapping):
            yield f"{where}: '{key}' is {type(value).__name__}, not a mapping"


def _dep_keys(block: Mapping[str, Any], where: str) -> Iterator[str]:
    for kind in DEP_LISTS:
        entries = block.get(kind)
        for number, dep in enumerate(entries if isinstance(entries, list) else [], 1):
            if isinstance(dep, Mapping):
                spot = f"{where}, {kind}[{number}]"
                yield from _unknown(iter(dep), DEP_KEYS, spot)
                if isinstance(dep.get("names"), str):
                    yield f"{spot}: 'names' is the text '{dep['names']}', not a list; its words are taken as names"


def _update_keys(block: Mapping[str, Any], where: str) -> Iterator[str]:
    entries = block.get("update_meta_if_env")
    for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        if isinstance(entry, Mapping):
            yield from _unknown(iter(entry), UPDATE_KEYS, f"{where}, update_meta_if_env[{number}]")


def _dep_shapes(block: Mapping[str, Any], where: str) -> Iterator[str]:
    for kind in DEP_LISTS:
        entries = block.get(kind)
        if not isinstance(entries, list):
            continue
        for number, dep in enumerate(entries, 1):
            spot = f"{where}, {kind}[{number}]"
            if not isinstance(dep, Mapping):
                yield f"{spot}: is not a mapping"
                continue
            if not isinstance(dep.get("tags", ""), str):
                yield f"{spot}: 'tags' is not a string of comma-separated tags"
            if not isinstance(dep.get("names") or [], (list, str)):
                yield f"{spot}: 'names' is not a list"
            for key in sorted(CONDITIONS.intersection(dep)):
                if not isinstance(dep[key] or {}, Mapping):
                    yield f"{spot}: '{key}' is not a mapping"


def _blocks(meta: Mapping[str, Any]) -> Iterator[tuple[Any, frozenset[str], str]]:
    """The top level, the variations and the versions, with the keys each may have and its name."""
    yield meta, TOP, TOP_LEVEL
    for kind, known in (("variations", VARIATION), ("versions", VERSION)):
        blocks = meta.get(kind)
        for name, block in blocks.items() if isinstance(blocks, Mapping) else ():
            if block is not None:
                yield block, known, f"{kind[:-1]} '{name}'"


def _change_shapes(block: Mapping[str, Any], where: str) -> Iterator[str]:
    updates = block.get("update_meta_if_env")
    for number, entry in enumerate(updates if isinstance(updates, list) else [], 1):
        if isinstance(entry, Mapping):
            yield from _shapes(entry, f"{where}, update_meta_if_env[{number}]")
            yield from _change_shapes(entry, f"{where}, update_meta_if_env[{number}]")
        else:
            yield f"{where}: update_meta_if_env[{number}] is not a mapping"
    for key in ("adr", "add_deps_recursive", "ad", "add_deps"):
        entries = block.get(key) or {}
        if not isinstance(entries, Mapping):
            yield f"{where}: '{key}' is {type(entries).__name__}, not a mapping of names"
            continue
        for name, entry in entries.items():
            if not isinstance(entry, Mapping):
                yield f"{where}: '{key}' of '{name}' is {entry!r}, not a mapping such as {{tags: _x}}"
            elif not isinstance(entry.get("tags") or "", str):
                yield f"{where}: the tags of '{key}' of '{name}' are not a string of comma-separated tags"


def broken(meta: Mapping[str, Any]) -> dict[str, list[str]]:
    """Values of the wrong shape, with which a block cannot be used at all: by the name of the block, one sentence each."""
    found: dict[str, list[str]] = {}
    for block, _, where in _blocks(meta):
        if isinstance(block, Mapping):
            sentences = [*_shapes(block, where), *_dep_shapes(block, where), *_change_shapes(block, where)]
        else:
            sentences = [f"{where}: is not a mapping"]
        if sentences:
            found[where] = sentences
    return found


def problems(meta: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with a meta, one sentence each; an empty list if nothing is."""
    found = [text for sentences in broken(meta).values() for text in sentences]
    for block, known, where in _blocks(meta):
        if isinstance(block, Mapping):
            found += _unknown(iter(block), known, where)
            found += _dep_keys(block, where)
            found += _update_keys(block, where)
    found += _references(meta)
    return found


def _references(meta: Mapping[str, Any]) -> Iterator[str]:
    """Names of variations and groups that do not exist."""
    variations = meta.get("variations")
    if not isinstance(variations, Mapping):
        return
    groups = {block.get("group") for block in variations.values() if isinstance(block, Mapping)} - {None}

    def exists(name: str) -> bool:
        return name in variations or ("." in name and name[: name.index(".") + 1] + "#" in variations)

    for name, block in variations.items():
        if isinstance(block, Mapping):
            yield from (f"variation '{name}': {text}" for text in _wrong_names(block, exists, groups))


def _wrong_names(block: Mapping[str, Any], exists: Callable[[str], bool], groups: set[Any]) -> Iterator[str]:
    base, defaults = block.get("base"), block.get("default_variations")
    yield from (f"base '{other}' does not exist" for other in (base if isinstance(base, list) else ()) if not exists(str(other)))
    for group, other in defaults.items() if isinstance(defaults, Mapping) else ():
        if group not in groups:
            yield f"default_variations names the group '{group}', which does not exist"
        elif not exists(str(other)):
            yield f"default variation '{other}' does not exist"
    if "alias" in block and not exists(str(block["alias"])):
        yield f"alias '{block['alias']}' does not exist"
