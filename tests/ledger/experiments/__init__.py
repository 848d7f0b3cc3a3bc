# SPDX-License-Identifier: Apache-2.0
"""Experiments of the ledger, one module an area; an entry names one as ``module.function``."""
