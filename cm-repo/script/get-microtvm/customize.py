# SPDX-License-Identifier: Apache-2.0
"""Makes sure that the pinned TVM is installed."""

from cm4tiny import cm
from cm4tiny.firmware.tvm_package import installed_tvm


@cm.step
def preprocess(step):
    step.env["CM_MICROTVM_VARIANT"] = "cm4tiny"
    step.env["CM_MICROTVM_VERSION"] = installed_tvm()
