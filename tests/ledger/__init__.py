# SPDX-License-Identifier: Apache-2.0
"""The fault ledger: kinds of damage that must never become a number, as data, with one runner (docs/fault-ledger.md)."""
