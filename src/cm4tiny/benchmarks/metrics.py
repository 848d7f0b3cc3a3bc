# SPDX-License-Identifier: Apache-2.0
"""Accuracy, as the two runners of MLPerf Tiny compute it.

Sources: rules, section "Constraints for the Closed division" (top-1; ROC AUC as scikit-learn's ``roc_auc_score``); MLCommons runner,
``main.py`` (results normalised to a sum of 1, mean per file, one-vs-rest average); EEMBC, ``eval_functions_eembc.py`` (the "simplified"
AUC of 101 thresholds). They were re-derived from the formulas and compared with the published rounds.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def normalised(results: Sequence[float]) -> tuple[float, ...]:
    """Results divided by their sum, as the MLCommons runner does; a single number, or a sum of zero, stays as it is."""
    total = functools.reduce(operator.add, results, 0.0)  # not sum(): from Python 3.12 on it compensates, and ties come out differently
    if len(results) == 1 or total == 0:
        return tuple(results)
    return tuple(value / total for value in results)


def top_1(scores: Scores, labels: Labels) -> float:
    """Percent of rows of ``scores`` (files x classes) whose largest entry is the label's; of equal ones the first counts."""
    return float(100.0 * np.mean(np.argmax(scores, axis=1) == labels))


def rank_auc(scores: Scores, positive: npt.NDArray[np.bool_]) -> float:
    """The exact area under the ROC curve: the chance that a positive scores above a negative, ties counting half.

    Args:
        scores: one score a file.
        positive: which files are positives; there must be at least one of each kind, else the result is NaN.
    """
    positives = int(positive.sum())
    negatives = len(scores) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    rank = (ends - (counts - 1) / 2.0)[group.reshape(-1)]  # mean rank of each group of equal scores, from 1
    return float((rank[positive].sum() - positives * (positives + 1) / 2.0) / (positives * negatives))


def auc(scores: Scores, labels: Labels) -> float:
    """ROC AUC as the MLCommons runner prints it.

    One column (anomaly detection): the scalar against label 1. Two: the second one. More: mean over classes of one against the rest.
    """
    width = scores.shape[1]
    if width <= 2:
        return rank_auc(scores[:, -1], labels == 1)
    return float(np.mean([rank_auc(scores[:, k], labels == k) for k in np.unique(labels)]))


def eembc_auc(scores: Scores, labels: Labels) -> float:
    """The simplified AUC that EEMBC's runner prints: 101 thresholds, strict comparison, first point forced to (1, 1), mean over classes.

    Thresholds are 0.00 to 1.00 for classifiers; for a single column they span the scores' own range (``calculate_ae_auc``). Only classes
    that occur among the labels are averaged.
    """
    steps = np.arange(101) * 0.01
    if scores.shape[1] == 1:
        column = scores[:, 0]
        thresholds = column.min() + steps * (column.max() - column.min())
        return _threshold_auc(column, labels == 1, thresholds)
    return float(np.mean([_threshold_auc(scores[:, k], labels == k, steps) for k in np.unique(labels)]))


def _threshold_auc(scores: Scores, positive: npt.NDArray[np.bool_], thresholds: Scores) -> float:
    if positive.all() or not positive.any():
        return float("nan")
    above = scores[:, None] > thresholds[None, :]
    tpr = above[positive].mean(axis=0)
    fpr = above[~positive].mean(axis=0)
    tpr[0] = fpr[0] = 1.0
    return float(np.sum(0.5 * (tpr[:-1] + tpr[1:]) * (fpr[:-1] - fpr[1:])))


def anomaly_top_1(scores: Scores, labels: Labels) -> float:
    """The "accuracy" that the MLCommons runner prints for anomaly detection: the best of 100 thresholds of (precision + recall) / 2."""
    column = scores[:, 0]
    positive = labels == 1
    best = 0.0
    for threshold in column.min() + np.arange(100) * 0.01 * (column.max() - column.min()):
        above = column > threshold
        hits = float(np.sum(above & positive))
        precision = hits / (float(np.sum(above)) + 1e-8)
        recall = hits / (float(np.sum(positive)) + 1e-8)
        best = max(best, 100.0 * (precision + recall) / 2.0)
    return best
