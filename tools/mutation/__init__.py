# SPDX-License-Identifier: Apache-2.0
"""Parts of ``tools/mutants.py``: where a change can be made, which tests see it, and the process that runs them."""
