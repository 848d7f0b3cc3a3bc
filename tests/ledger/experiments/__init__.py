"""Experiments of the ledger, one module an area; an entry names one as ``module.function``."""
