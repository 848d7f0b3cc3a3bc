# SPDX-License-Identifier: Apache-2.0
"""What a request would do: the resolved script, the static plan and the key of its result. Nothing runs."""
