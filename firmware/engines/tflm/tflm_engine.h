// SPDX-License-Identifier: Apache-2.0
/* TensorFlow Lite for Microcontrollers behind four C functions, so that a model's unit needs none of its headers.
 *
 * One call of tflm_add_<operator>() for each operator of the model (names: tflm.yaml, "operators"), then tflm_setup(), then tflm_run().
 * Each of these functions sits in an object of its own: an image holds only the kernels that its model uses. */
#ifndef CM4TINY_TFLM_ENGINE_H
#define CM4TINY_TFLM_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns 0, or why the interpreter cannot be set up. `model` and `arena` stay in use. */
const char *tflm_setup(const void *model, void *arena, size_t arena_bytes);

/* One inference: the tensors are copied, because the interpreter may reuse the input's memory for activations. */
void tflm_run(const int8_t *input, int8_t *output);

/* How much of the arena the model uses; valid after tflm_setup(). */
extern volatile size_t tflm_arena_used_bytes;

#ifdef __cplusplus
}
#endif

#endif
