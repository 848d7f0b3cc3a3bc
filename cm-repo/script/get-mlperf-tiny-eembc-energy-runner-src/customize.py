# SPDX-License-Identifier: Apache-2.0
"""Gets EEMBC's energyrunner repository at the pinned commit and fills the runner's folders with its data sets."""

from cm4tiny import cm
from cm4tiny.workflows.get_mlperf_tiny_eembc_energy_runner_src import EnergyRunnerOptions, get_energy_runner

preprocess = cm.step(EnergyRunnerOptions, get_energy_runner)
