# SPDX-License-Identifier: Apache-2.0
"""Runs the rules over rounds or submissions that were read and recomputed before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cm4tiny.results.audit.rules  # noqa: F401 - registers the rules
from cm4tiny.errors import UsageError, nearest
from cm4tiny.results.audit.finding import Finding, order
from cm4tiny.results.audit.rule import RULES, Rule, Scope, Violation
from cm4tiny.results.audit.views import Corpus, ResultView, Submitter, Tree
from cm4tiny.results.replay import Replay, Replayed
from cm4tiny.results.rounds import LabelLists, Round


def audit(
    results: Replay | Iterable[Replayed],
    *,
    labels: LabelLists | None = None,
    trees: Iterable[tuple[Round, Path]] = (),
    complete: bool | None = None,
    rules: Mapping[str, Rule] = RULES,
    only: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """Looks for breaches of the rules.

    Args:
        results: what ``replay`` made of the results; of several rounds at once, so that evidence used twice is found.
        labels: the lists of the data sets; without any, what file names say.
        trees: rounds or submissions to look at even if no result was found in them.
        complete: whether the trees are whole submissions; by default a tree is one if it holds a ``code`` folder.
        rules: which rules; all by default.
        only: paths of results; rules on single results and sessions look at no others (what did not change need not be looked at again).

    Returns:
        The findings, ordered by round, place and severity.
    """
    known = labels if labels is not None else LabelLists()
    places = [*trees, *(results.rounds if isinstance(results, Replay) else ())]
    replayed = list(results.results if isinstance(results, Replay) else results)
    corpus = Corpus(tuple(_trees(replayed, places, known, complete)), known)
    return tuple(sorted(set(_findings(corpus, list(rules.values()), only)), key=order))


def choose(names: Sequence[str]) -> dict[str, Rule]:
    """Rules by id or by group (``windows`` for all ``windows.*``).

    Raises:
        UsageError: no such rule; suggests one.
    """
    found: dict[str, Rule] = {}
    for name in names:
        matching = {key: rule for key, rule in RULES.items() if key == name or key.startswith(name + ".")}
        if not matching:
            raise UsageError(f"there is no rule '{name}'", hint=nearest(name, RULES) or "docs/audit-rules.md lists them")
        found.update(matching)
    return found


def _trees(results: list[Replayed], named: list[tuple[Round, Path]], labels: LabelLists, complete: bool | None) -> Iterator[Tree]:
    by_root: dict[Path, tuple[Round, list[Replayed]]] = {root: (round, []) for round, root in named}
    for replayed in results:
        by_root.setdefault(replayed.result.root, (replayed.result.round, []))[1].append(replayed)
    for root, (round, mine) in by_root.items():
        whole = any(root.glob("*/*/code")) if complete is None else complete
        yield Tree(round, root, whole, tuple(ResultView(replayed, labels, whole) for replayed in mine), labels)


def _findings(corpus: Corpus, rules: Sequence[Rule], only: Collection[str] | None) -> Iterator[Finding]:
    chosen: dict[Scope, list[Rule]] = {}
    for rule in rules:
        chosen.setdefault(rule.scope, []).append(rule)
    rounds = {tree.round.id: tree for tree in corpus.trees}
    for rule in chosen.get("corpus", ()):
        for violation in rule.check(corpus):
            yield from _applied(rule, rounds[violation.round], [violation])
    for tree in corpus.trees:
        for scope, item in _items(tree, only):
            for rule in chosen.get(scope, ()):
                if rule.applies(tree.round.number, tree.complete):
                    yield from _applied(rule, tree, rule.check(item))


def _items(tree: Tree, only: Collection[str] | None) -> Iterator[tuple[Scope, object]]:
    yield "tree", tree
    for submitter in tree.submitters:
        yield from _of(submitter)
    for view in tree.results:
        if only is not None and view.result.path not in only:
            continue
        yield "result", view
        for session in view.sessions:
            yield "session", session


def _of(submitter: Submitter) -> Iterator[tuple[Scope, object]]:
    if submitter.results or submitter.tree.complete:
        yield "submitter", submitter
        for system in submitter.systems:
            yield "system", system


def _applied(rule: Rule, tree: Tree, violations: Iterable[Violation]) -> Iterator[Finding]:
    if rule.applies(tree.round.number, tree.complete):
        for violation in violations:
            yield Finding(rule.id, rule.severity_in(tree.round.number), tree.round.id, violation.path, violation.message, violation.related)
