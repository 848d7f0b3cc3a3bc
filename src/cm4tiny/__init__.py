# SPDX-License-Identifier: Apache-2.0
"""Reproducible benchmarking of tiny machine learning: MLPerf Tiny on a NUCLEO-L4R5ZI, virtual or real."""

__version__ = "0.1.0"
