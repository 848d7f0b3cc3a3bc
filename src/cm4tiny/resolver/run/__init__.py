# SPDX-License-Identifier: Apache-2.0
"""The life of one run: the session, hooks of ``customize.py``, native scripts."""
