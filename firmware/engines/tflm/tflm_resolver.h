// SPDX-License-Identifier: Apache-2.0
/* The list of operators that the model's unit fills. */
#ifndef CM4TINY_TFLM_RESOLVER_H
#define CM4TINY_TFLM_RESOLVER_H

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

constexpr unsigned int kTflmOperators = 16;
using TflmResolver = tflite::MicroMutableOpResolver<kTflmOperators>;

/* Made on first use: nothing runs static constructors here. */
TflmResolver &tflm_resolver();

#endif
