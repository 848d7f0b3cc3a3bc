"""microTVM's job on today's TVM: an int8 ``.tflite`` model becomes freestanding C for a microcontroller.

See docs/microtvm-engine.md for the passes and their reasons. TVM is imported inside functions only.
"""

from cm4tiny.firmware.inference_code import TensorInfo
from cm4tiny.firmware.microtvm.compiled import CompiledModel, LayerInfo
from cm4tiny.firmware.microtvm.compiler import compile_model

__all__ = ["CompiledModel", "LayerInfo", "TensorInfo", "compile_model"]
