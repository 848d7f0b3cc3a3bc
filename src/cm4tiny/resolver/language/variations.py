# SPDX-License-Identifier: Apache-2.0
"""Variations: from the ones that were asked for to the full list that a run applies, in order.

Order of upstream: aliases, then bases to a fixed point together with ``default_variations`` (group: default, taken only if no member of the
group is chosen and the default is not excluded), then the groups' own defaults, then bases once more for what came in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cm4tiny.errors import VariationError, nearest
from cm4tiny.resolver.language.meta import Script
from cm4tiny.resolver.language.query import ScriptQuery, dynamic_name, has_variation

Block = Mapping[str, Any]


@dataclass
class VariationGroup:
    """Variations of which a run uses at most one."""

    members: list[str] = field(default_factory=list)
    default: str | None = None


@dataclass(frozen=True)
class Chosen:
    """The outcome: all variations in order of application, the excluded ones, and the script's groups."""

    names: tuple[str, ...]
    excluded: tuple[str, ...]
    groups: Mapping[str, VariationGroup]

    def as_tags(self) -> str:
        """The variations as upstream hands them to a dependency that inherits them: ``_a,_b,_-c``."""
        return ",".join([*(f"_{name}" for name in self.names), *(f"_-{name}" for name in self.excluded)])


def groups_of(script: Script) -> dict[str, VariationGroup]:
    """The groups of a script.

    Raises:
        VariationError: a group has two defaults.
    """
    groups: dict[str, VariationGroup] = {}
    for name, block in script.variations.items():
        if "group" not in block:
            continue
        group = groups.setdefault(str(block["group"]), VariationGroup())
        group.members.append(name)
        if "default" in block:
            if group.default is not None:
                raise VariationError(
                    f"group '{block['group']}' of script '{script.alias}' has two defaults",
                    why=f"both '_{group.default}' and '_{name}' say 'default'",
                    hint=f"remove one of them in {script.path}",
                )
            group.default = name
    return groups


class _Chooser:
    def __init__(self, script: Script, query: ScriptQuery) -> None:
        self.script = script
        self.blocks = script.variations
        self.groups = groups_of(script)
        self.excluded = [name if name in self.blocks else dynamic_name(name) or name for name in query.excluded_variations]
        self.chosen: list[str] = [name for name in query.variations if not name.startswith("~")]

    def static(self, name: str) -> str:
        """The name in the meta: the dynamic one where the literal one does not exist."""
        return name if name in self.blocks else dynamic_name(name) or name

    def block(self, name: str) -> Block:
        return self.blocks[self.static(name)]

    def error(self, what: str, hint: str = "") -> VariationError:
        return VariationError(f"{what} in script '{self.script.alias}'", hint=hint)

    def add(self, name: str, wanted_by: str) -> None:
        if not has_variation(self.script, name):
            raise self.error(f"variation '_{name}', which '_{wanted_by}' names, does not exist", nearest(name, sorted(self.blocks)))
        if name in self.excluded or self.static(name) in self.excluded:
            raise self.error(f"variation '_{name}' is excluded, but '_{wanted_by}' needs it", f"do not exclude '_{name}'")
        if name not in self.chosen:
            self.chosen.append(name)

    def aliases(self) -> None:
        for name in list(self.chosen):
            block = self.block(name)
            if "alias" not in block:
                continue
            if "group" in block or "default" in block:
                raise self.error(f"variation '_{name}' has an alias and a group", "put the group on the variation that the alias names")
            self.add(str(block["alias"]), name)

    def bases(self) -> None:
        """Adds bases and ``default_variations`` until nothing changes."""
        done: set[str] = set()
        combined: set[str] = set()
        before = {self.static(name) for name in self.chosen}
        while True:
            pending = [name for name in self.chosen if name not in done]
            if not pending:
                return
            for name in pending:
                done.add(name)
                for base in self.block(name).get("base") or ():
                    base = str(base)
                    prefix = base.split(".")[0] + "."
                    dynamic = base not in self.blocks and dynamic_name(base) in self.blocks
                    if not (dynamic and any(other.startswith(prefix) for other in self.chosen)):
                        self.add(base, name)
                self.defaults_of(self.block(name), name, before)
                for key in reversed(_present_combinations(self.blocks, self.chosen)):
                    if key not in combined:
                        combined.add(key)
                        self.defaults_of(self.blocks[key], key, before)

    def defaults_of(self, block: Block, name: str, before: set[str]) -> None:
        for group, default in (block.get("default_variations") or {}).items():
            default = str(default)
            if group not in self.groups:
                raise self.error(f"'_{name}' names a default for the group '{group}', which does not exist", nearest(group, self.groups))
            taken = before.union(self.static(other) for other in self.chosen)
            if not taken.intersection(self.groups[group].members) and default not in self.excluded and default not in taken:
                self.add(default, name)

    def group_defaults(self) -> None:
        for name, group in self.groups.items():
            members = [other for other in self.chosen if self.static(other) in group.members]
            if len({self.static(member) for member in members}) > 1:
                listed = " and ".join(f"'_{member}'" for member in members)
                raise VariationError(
                    f"the variations {listed} exclude each other in script '{self.script.alias}'",
                    why=f"both belong to the group '{name}', of which a run uses one: {', '.join('_' + m for m in group.members)}",
                    hint="keep one of them",
                )
            if not members and group.default is not None and group.default not in self.excluded:
                self.chosen.append(group.default)


def choose(script: Script, query: ScriptQuery) -> Chosen:
    """The full list of variations for a request.

    Raises:
        VariationError: contradictions, names that do not exist, combinations that the meta forbids.
    """
    chooser = _Chooser(script, query)
    chooser.aliases()
    default = script.meta.get("default_variation")
    if not chooser.chosen and not query.excluded_variations and default:
        chooser.add(str(default), "default_variation")
    chooser.bases()
    before = list(chooser.chosen)
    chooser.group_defaults()
    if chooser.chosen != before:
        chooser.bases()
        if script.own:
            chooser.group_defaults()
    _check_combinations(script, chooser.chosen)
    return Chosen(tuple(chooser.chosen), tuple(query.excluded_variations), chooser.groups)


def _check_combinations(script: Script, names: list[str]) -> None:
    valid = script.meta.get("valid_variation_combinations") or []
    invalid = script.meta.get("invalid_variation_combinations") or []
    if (valid and not any(set(row) <= set(names) for row in valid)) or any(set(row) <= set(names) for row in invalid):
        raise VariationError(
            f"script '{script.alias}' does not allow the variations {', '.join('_' + name for name in names)} together",
            why=f"valid: {valid}" if valid else f"invalid: {invalid}",
            hint="choose another combination",
        )


def _present_combinations(blocks: Mapping[str, Block], names: list[str]) -> list[str]:
    """Keys like ``a,b`` all of whose parts are chosen, the shortest combination first."""
    chosen = set(names)
    keys = [key for key in blocks if "," in key and chosen.issuperset(key.split(","))]
    return sorted(keys, key=lambda key: key.count(","))


def blocks_to_apply(script: Script, chosen: Chosen) -> Iterator[tuple[str, Block]]:
    """The metas of the variations in order; after each one, all combinations that are complete (as upstream applies them)."""
    blocks = script.variations
    combinations = _present_combinations(blocks, list(chosen.names))
    for name in chosen.names:
        if name in blocks:
            yield name, blocks[name]
        else:
            static = dynamic_name(name) or name
            yield static, _with_suffix(blocks[static], name[name.index(".") + 1 :])
        for key in combinations:
            yield key, blocks[key]


def _with_suffix(value: Any, suffix: str, depth: int = 0) -> Any:
    """A copy of a dynamic variation's meta with ``#`` replaced; scalars at the top level stay (as upstream leaves them)."""
    if isinstance(value, Mapping):
        return {key: _with_suffix(item, suffix, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_suffix(item, suffix, depth + 2) for item in value]
    if isinstance(value, str) and depth > 1:
        return value.replace("#", suffix)
    return value
