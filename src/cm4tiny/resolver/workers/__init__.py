# SPDX-License-Identifier: Apache-2.0
"""Cached scripts that are made in other processes before the run comes to them."""
