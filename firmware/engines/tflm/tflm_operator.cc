// SPDX-License-Identifier: Apache-2.0
/* One operator: compiled once for each row of "operators" in tflm.yaml, with TFLM_ADD = the resolver's method, TFLM_FUNCTION = the name. */
#include "tflm_resolver.h"

extern "C" int TFLM_FUNCTION(void);

extern "C" int TFLM_FUNCTION(void) { return tflm_resolver().TFLM_ADD() == kTfLiteOk; }
