# SPDX-License-Identifier: Apache-2.0
"""MLPerf Tiny's own models and data sets: fetched by hash, made from their sources, or imported; never part of this package."""

from cm4tiny.benchmarks.official.eembc import EembcFolders, fill_datasets
from cm4tiny.benchmarks.official.sets import Provenance, is_prepared, official_set, official_set_if_here, recorded_files
from cm4tiny.benchmarks.official.table import OfficialTable, SetRow, Terms, official_table

__all__ = [
    "EembcFolders",
    "OfficialTable",
    "Provenance",
    "SetRow",
    "Terms",
    "fill_datasets",
    "is_prepared",
    "official_set",
    "official_set_if_here",
    "official_table",
    "recorded_files",
]
