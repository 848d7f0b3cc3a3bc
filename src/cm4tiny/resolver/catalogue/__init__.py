# SPDX-License-Identifier: Apache-2.0
"""Which scripts there are and which of them a request names: repositories, their index, selection, suggestions."""
