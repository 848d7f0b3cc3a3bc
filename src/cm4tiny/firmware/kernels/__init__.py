# SPDX-License-Identifier: Apache-2.0
"""Integer kernels for the Cortex-M4 as TIR functions, and the C helpers they call.

This is the place to make inference faster: a kernel takes geometry, weights and a requantisation plan and returns a
:class:`~cm4tiny.firmware.kernels.base.Kernel`. The compiler in :mod:`cm4tiny.firmware.microtvm` knows nothing else about it. Importing
these modules does not import TVM; making a kernel does.
"""

from cm4tiny.firmware.kernels.base import HELPERS, Kernel

KERNELS_VERSION = 1
"""Raised with every change that makes a kernel faster or slower: costs that were measured before are then forgotten."""

__all__ = ["HELPERS", "KERNELS_VERSION", "Kernel"]
