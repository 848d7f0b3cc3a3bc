// SPDX-License-Identifier: Apache-2.0
/* Between the bytes of `db` and the tensors of the model: load, run, results. One of three input kinds is compiled in.
 *
 * int8     kws: the bytes are the tensor.
 * uint8    ic, vww: the tensor is the byte minus 128.
 * float32  ad: little-endian floats, quantised by the model's scale and zero point; the result is the mean squared error between the
 *          floats and the dequantised output. A model that quantises on its own takes and returns the floats (CM4TINY_MODEL_FLOAT).
 * All conversions happen outside the timed loop, as in the reference submissions (th_load_tensor, th_results). */
#include <string.h>

#include "harness.h"
#include "model.h" /* generated: CM4TINY_MODEL_..., cm4tiny_model_run() */
#include "numbers.h"

#if CM4TINY_MODEL_HALVES_DOWN
#define CM4TINY_FIXED3 numbers_fixed3_halves_down
#else
#define CM4TINY_FIXED3 numbers_fixed3
#endif

#if CM4TINY_MODEL_FLOAT
typedef float model_value;
#else
typedef int8_t model_value;
#endif

static _Alignas(16) model_value model_input[CM4TINY_MODEL_INPUT_SIZE];
static _Alignas(16) model_value model_output[CM4TINY_MODEL_OUTPUT_SIZE];
static bool model_has_run;

static float dequantise(model_value value)
{
#if CM4TINY_MODEL_FLOAT
    return value;
#else
    return (float)((int)value - CM4TINY_MODEL_OUTPUT_ZERO_POINT) * CM4TINY_MODEL_OUTPUT_SCALE;
#endif
}

#if CM4TINY_INPUT_FLOAT32
_Static_assert(CM4TINY_INPUT_BYTES == 4 * CM4TINY_MODEL_INPUT_SIZE, "the model's input is not the benchmark's");
_Static_assert(CM4TINY_MODEL_OUTPUT_SIZE == CM4TINY_MODEL_INPUT_SIZE, "the model does not reconstruct its input");
_Static_assert(CM4TINY_RESULTS == 1, "the benchmark's result is one mean squared error");

#if CM4TINY_MODEL_FLOAT
static float *const float_input = model_input;

static void convert_input(void)
{
    (void)ee_get_buffer((uint8_t *)float_input, sizeof model_input); /* Cortex-M4 is little-endian, as the data */
}
#else
static float float_input[CM4TINY_MODEL_INPUT_SIZE];

/* round(value / scale) + zero point, clamped; round() as in TensorFlow Lite: halves away from zero. */
static int8_t quantise(float value)
{
    const float ratio = value / CM4TINY_MODEL_INPUT_SCALE;
    if (!(ratio > -1024.0f)) { /* also not-a-number: the clamped result is the same for every ratio below -383 */
        return INT8_MIN;
    }
    if (ratio > 1024.0f) {
        return INT8_MAX;
    }
    int rounded = (int)ratio;
    const float rest = ratio - (float)rounded; /* exact */
    if (rest >= 0.5f) {
        ++rounded;
    } else if (rest <= -0.5f) {
        --rounded;
    }
    rounded += CM4TINY_MODEL_INPUT_ZERO_POINT;
    if (rounded < INT8_MIN) {
        return INT8_MIN;
    }
    return (int8_t)(rounded > INT8_MAX ? INT8_MAX : rounded);
}

static void convert_input(void)
{
    (void)ee_get_buffer((uint8_t *)float_input, sizeof float_input); /* Cortex-M4 is little-endian, as the data */
    for (size_t i = 0; i < CM4TINY_MODEL_INPUT_SIZE; ++i) {
        model_input[i] = quantise(float_input[i]);
    }
}
#endif

static float result(size_t index)
{
    (void)index;
    float sum = 0.0f;
    for (size_t i = 0; i < CM4TINY_MODEL_OUTPUT_SIZE; ++i) {
        const float difference = dequantise(model_output[i]) - float_input[i];
        sum += difference * difference;
    }
    return sum / (float)CM4TINY_MODEL_OUTPUT_SIZE;
}
#else
_Static_assert(CM4TINY_INPUT_BYTES == CM4TINY_MODEL_INPUT_SIZE, "the model's input is not the benchmark's");
_Static_assert(CM4TINY_MODEL_OUTPUT_SIZE == CM4TINY_RESULTS, "the model's output is not the benchmark's");

static void convert_input(void)
{
    (void)ee_get_buffer((uint8_t *)model_input, sizeof model_input);
#if CM4TINY_INPUT_UINT8
    for (size_t i = 0; i < CM4TINY_MODEL_INPUT_SIZE; ++i) {
        model_input[i] = (int8_t)((int)(uint8_t)model_input[i] - 128);
    }
#endif
}

static float result(size_t index)
{
    return dequantise(model_output[index]);
}
#endif

static const char *set_up_failure; /* why there will be no inference; NULL: there is no reason */

void model_initialize(void)
{
#if CM4TINY_MODEL_INIT
    set_up_failure = cm4tiny_model_init();
#endif
}

bool model_ready(void)
{
    if (set_up_failure != NULL) {
        th_printf("e-[The model cannot be set up: %s]\r\n", set_up_failure);
    }
    return set_up_failure == NULL;
}

bool th_load_tensor(void)
{
    if (!model_ready()) {
        return false;
    }
    if (buffer_level() != CM4TINY_INPUT_BYTES) {
        th_printf("e-[infer: %u of %u bytes of input are loaded]\r\n", (unsigned)buffer_level(), (unsigned)CM4TINY_INPUT_BYTES);
        return false;
    }
    convert_input();
    return true;
}

void th_infer(void)
{
    cm4tiny_model_run(model_input, model_output);
    model_has_run = true;
}

void th_results(void)
{
    if (!model_ready()) {
        return;
    }
    if (!model_has_run) {
        th_printf("e-[No inference has been run]\r\n");
        return;
    }
    th_printf("m-results-[");
    for (size_t i = 0; i < CM4TINY_RESULTS; ++i) {
        char number[NUMBERS_FIXED3_SIZE];
        th_printf("%s%s", i == 0u ? "" : ",", CM4TINY_FIXED3(result(i), number));
    }
    th_printf("]\r\n");
}
