# SPDX-License-Identifier: Apache-2.0
"""Results: what was published, what was measured, and the report that sets them side by side.

Nothing here runs anything; it reads and judges what the runner wrote.
"""
