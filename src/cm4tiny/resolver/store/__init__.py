# SPDX-License-Identifier: Apache-2.0
"""What is kept of a run: cached results, where they came from, lock files."""
