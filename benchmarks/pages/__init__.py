# SPDX-License-Identifier: Apache-2.0
"""Pages of the manual that are made of measured rows: performance, energy, fidelity.

They are written by the programs in ``benchmarks``, from rows that these keep, and compared with them by tests. Nothing of it is installed.
"""
