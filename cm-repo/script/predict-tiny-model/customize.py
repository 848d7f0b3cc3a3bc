# SPDX-License-Identifier: Apache-2.0
"""Predicts what a model costs on the board."""

from cm4tiny import cm
from cm4tiny.workflows.predict_tiny_model import PredictOptions, check_prediction, predict_step

check_inputs = cm.step(PredictOptions, check_prediction)
preprocess = cm.step(PredictOptions, predict_step)
