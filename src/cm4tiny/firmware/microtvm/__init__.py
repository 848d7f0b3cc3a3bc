# SPDX-License-Identifier: Apache-2.0
"""microTVM's job on today's TVM: an int8 ``.tflite`` model becomes freestanding C for a microcontroller.

See docs/microtvm-engine.md for the passes and their reasons. TVM is imported inside functions only.
"""

from cm4tiny.firmware.inference_code import TensorInfo
from cm4tiny.firmware.microtvm.compiled import CompiledModel, CompileOptions, LayerInfo
from cm4tiny.firmware.microtvm.compiler import compile_model
from cm4tiny.firmware.microtvm.costs import Costs, read_costs, shipped_costs

__all__ = ["CompileOptions", "CompiledModel", "Costs", "LayerInfo", "TensorInfo", "compile_model", "read_costs", "shipped_costs"]
