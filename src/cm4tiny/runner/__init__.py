# SPDX-License-Identifier: Apache-2.0
"""The headless runner: measures performance, accuracy and energy of a device under test and writes sessions as MLCommons' runner does.

It knows a byte stream (:class:`cm4tiny.boards.Link`), never a port or an emulator.
"""

from cm4tiny.runner.accuracy import AccuracyResult, run_accuracy
from cm4tiny.runner.dut import Dut, DutStatistics, Identity, Inference
from cm4tiny.runner.energy import EnergyResult, EnergyWindow, run_energy
from cm4tiny.runner.job_pool import Board, Job, JobResult, run_jobs
from cm4tiny.runner.journal import Journal, JournalKey, data_set_hash
from cm4tiny.runner.performance import PerformanceResult, PerformanceWindow, run_performance
from cm4tiny.runner.rules import Rules, load_rules, official_rules
from cm4tiny.runner.session import SessionWriter

__all__ = [
    "AccuracyResult",
    "Board",
    "Dut",
    "DutStatistics",
    "EnergyResult",
    "EnergyWindow",
    "Identity",
    "Inference",
    "Job",
    "JobResult",
    "Journal",
    "JournalKey",
    "PerformanceResult",
    "PerformanceWindow",
    "Rules",
    "SessionWriter",
    "data_set_hash",
    "load_rules",
    "official_rules",
    "run_accuracy",
    "run_energy",
    "run_jobs",
    "run_performance",
]
