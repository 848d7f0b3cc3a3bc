# SPDX-License-Identifier: Apache-2.0
"""MLPerf Tiny's own models and data sets: fetched by hash, made from their sources, or imported; never part of this package."""
