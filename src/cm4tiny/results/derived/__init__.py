# SPDX-License-Identifier: Apache-2.0
"""Derived metrics: figures computed from other figures of a result (inferences per joule, energy-delay product, a user's own).

Every metric is an expression over the columns of a result; expressions are parsed and evaluated here, never executed as code.
"""

from cm4tiny.results.derived.expression import Expression, Value
from cm4tiny.results.derived.metrics import BUILT_IN, Heading, Metric, apply, parse_heading, parse_metrics

__all__ = ["BUILT_IN", "Expression", "Heading", "Metric", "Value", "apply", "parse_heading", "parse_metrics"]
