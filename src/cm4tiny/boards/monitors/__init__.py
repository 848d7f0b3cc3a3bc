# SPDX-License-Identifier: Apache-2.0
"""Power monitors on a desk, and recordings of theirs, behind :class:`cm4tiny.boards.power.PowerMonitor`."""
