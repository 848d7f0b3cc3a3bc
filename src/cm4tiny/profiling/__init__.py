# SPDX-License-Identifier: Apache-2.0
"""What each layer of a model costs on the virtual board, whoever's engine runs it: cycles, cache misses, code, constants and RAM.

The board traces the function of the engine that calls one layer after the other (``roots.yaml``). Everything is simulated and says so.
"""

from cm4tiny.profiling.measure import ProfileRequest, measure_profile
from cm4tiny.profiling.model import Cost, LayerProfile, Profile

__all__ = ["Cost", "LayerProfile", "Profile", "ProfileRequest", "measure_profile"]
