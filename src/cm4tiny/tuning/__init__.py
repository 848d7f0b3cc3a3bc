# SPDX-License-Identifier: Apache-2.0
"""Tuning: measures the candidates of a model's layers on the virtual board, so that the compiler can choose by cycles instead of estimates.

A plan decides about speed and memory only; every candidate computes the same bits. The result is a table of costs by content
(:mod:`cm4tiny.firmware.microtvm.costs`); the one that comes with the package holds the official and the embedded models.
"""

from cm4tiny.tuning.tuner import TuneRequest, tune

__all__ = ["TuneRequest", "tune"]
