# SPDX-License-Identifier: Apache-2.0
"""Accuracy figures against scikit-learn and against plain loops."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm4tiny.benchmarks import metrics

sklearn_metrics = pytest.importorskip("sklearn.metrics")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=80))
def test_rank_auc_is_scikit_learns_with_many_ties(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([score / 7 for score, _ in rows])
    positive = np.array([p for _, p in rows])
    if positive.all() or not positive.any():
        assert math.isnan(metrics.rank_auc(scores, positive))
    else:
        assert metrics.rank_auc(scores, positive) == pytest.approx(sklearn_metrics.roc_auc_score(positive, scores), abs=1e-12)


def test_auc_of_classifiers_is_one_against_the_rest_as_scikit_learn_has_it() -> None:
    generator = np.random.default_rng(3)
    labels = np.arange(300) % 12
    scores = np.array([metrics.normalised(np.round(row, 2)) for row in generator.dirichlet(np.ones(12), 300) + np.eye(12)[labels] * 0.2])
    assert metrics.auc(scores, labels) == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores, multi_class="ovr"), abs=1e-12)


def test_auc_of_two_classes_takes_the_second_column() -> None:
    labels = np.array([0, 1, 1, 0, 1])
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5], [0.6, 0.4]])
    assert metrics.auc(scores, labels) == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores[:, 1]))


def test_auc_of_a_single_column_takes_the_anomalies_as_positives() -> None:
    labels = np.array([0, 1, 1, 0])
    scores = np.array([[1.0], [5.0], [2.0], [3.0]])
    assert metrics.auc(scores, labels) == 0.75


def _eembc_by_loops(column: list[float], positive: list[bool], thresholds: list[float]) -> float:
    points = [(1.0, 1.0)]
    for threshold in thresholds[1:]:
        above = [score > threshold for score in column]
        hits = sum(a and p for a, p in zip(above, positive, strict=True))
        alarms = sum(a and not p for a, p in zip(above, positive, strict=True))
        points.append((alarms / positive.count(False), hits / positive.count(True)))
    return sum((a[1] + b[1]) / 2 * (a[0] - b[0]) for a, b in itertools.pairwise(points))


def test_the_simplified_auc_has_101_strict_thresholds_and_a_forced_first_point() -> None:
    generator = np.random.default_rng(5)
    labels = np.arange(60) % 3
    scores = np.round(generator.random((60, 3)), 2)
    expected = [_eembc_by_loops(scores[:, k].tolist(), (labels == k).tolist(), [i * 0.01 for i in range(101)]) for k in range(3)]
    assert metrics.eembc_auc(scores, labels) == pytest.approx(np.mean(expected), abs=1e-12)


def test_the_simplified_auc_of_one_hot_results_degenerates_as_published() -> None:
    labels = np.array([0, 1, 0, 1])
    scores = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    assert metrics.eembc_auc(scores, labels) == pytest.approx(0.75)


def test_the_simplified_auc_skips_classes_that_do_not_occur() -> None:
    labels = np.array([0, 1, 0, 1])
    scores = np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.8, 0.2, 0.0], [0.3, 0.7, 0.0]])
    assert metrics.eembc_auc(scores, labels) == 1.0


def test_the_simplified_auc_of_anomalies_spans_the_scores_own_range() -> None:
    labels = np.array([0, 0, 1, 1])
    assert metrics.eembc_auc(np.array([[10.0], [12.0], [30.0], [40.0]]), labels) == 1.0


def test_an_auc_without_both_kinds_is_not_a_number() -> None:
    scores = np.array([[0.1], [0.2]])
    assert math.isnan(metrics.auc(scores, np.array([1, 1])))
    assert math.isnan(metrics.eembc_auc(scores, np.array([0, 0])))


def test_of_equal_results_the_first_class_counts() -> None:
    scores = np.array([[0.5, 0.5], [0.5, 0.5], [0.1, 0.9]])
    assert metrics.top_1(scores, np.array([0, 1, 1])) == pytest.approx(200 / 3)


def test_the_runners_anomaly_figure_is_the_best_of_precision_and_recall() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    scores = np.array([[1.0], [2.0], [9.0], [8.0], [10.0]])
    more = 1e-8  # the runner's, against a division by zero
    by_hand = max(100 * (2 / (3 + more) + 2 / (2 + more)) / 2, 100 * (1 / (1 + more) + 1 / (2 + more)) / 2)
    assert metrics.anomaly_top_1(scores, labels) == pytest.approx(by_hand, abs=1e-10)
    assert metrics.anomaly_top_1(np.array([[1.0], [2.0]]), np.array([1, 0])) == 0.0


def test_results_are_normalised_except_where_that_means_nothing() -> None:
    assert metrics.normalised([1.0, 3.0]) == (0.25, 0.75)
    assert metrics.normalised([7.0]) == (7.0,)
    assert metrics.normalised([0.0, 0.0]) == (0.0, 0.0)
