// SPDX-License-Identifier: Apache-2.0
/* The interpreter in static memory, and the two functions of the platform that the library asks for. */
#include "tflm_engine.h"

#include <cstdarg>
#include <cstring>
#include <new>

#include "tensorflow/lite/micro/debug_log.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "tflm_resolver.h"

volatile size_t tflm_arena_used_bytes;

static tflite::MicroInterpreter *interpreter;

TflmResolver &tflm_resolver()
{
    alignas(TflmResolver) static unsigned char room[sizeof(TflmResolver)];
    static TflmResolver *resolver;
    if (resolver == nullptr) {
        resolver = new (room) TflmResolver;
    }
    return *resolver;
}

const char *tflm_setup(const void *model_data, void *arena, size_t arena_bytes)
{
    const tflite::Model *model = tflite::GetModel(model_data);
    if (model->version() != TFLITE_SCHEMA_VERSION) {
        return "the model has another schema version";
    }
    alignas(tflite::MicroInterpreter) static unsigned char room[sizeof(tflite::MicroInterpreter)];
    interpreter = new (room) tflite::MicroInterpreter(model, tflm_resolver(), static_cast<uint8_t *>(arena), arena_bytes);
    if (interpreter->AllocateTensors() != kTfLiteOk) {
        interpreter = nullptr;
        return "AllocateTensors failed: the arena is too small or an operator is not supported";
    }
    tflm_arena_used_bytes = interpreter->arena_used_bytes();
    return nullptr;
}

void tflm_run(const int8_t *input, int8_t *output)
{
    if (interpreter == nullptr) {
        __builtin_trap(); /* the harness runs nothing after a failed set-up */
    }
    TfLiteTensor *to = interpreter->input(0);
    std::memcpy(to->data.int8, input, to->bytes);
    if (interpreter->Invoke() != kTfLiteOk) {
        __builtin_trap(); /* an inference that failed must not leave the last one's answer: it ends in the fault report */
    }
    const TfLiteTensor *from = interpreter->output(0);
    std::memcpy(output, from->data.int8, from->bytes);
}

/* Messages of the library are dropped: nothing but the protocol may speak on the serial line. */
extern "C" void DebugLog(const char *format, va_list arguments)
{
    (void)format;
    (void)arguments;
}

extern "C" int DebugVsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
    (void)format;
    (void)arguments;
    if (size != 0u) {
        buffer[0] = '\0';
    }
    return 0;
}

/* A failed check of the library ends in the fault report. */
extern "C" void abort(void) { __builtin_trap(); }

/* Destructors of static storage duration and pure virtual calls: neither happens, both are referred to. */
extern "C" void __cxa_pure_virtual(void)
{
    for (;;) {
    }
}

void operator delete(void *pointer) noexcept { (void)pointer; }
void operator delete(void *pointer, size_t size) noexcept
{
    (void)pointer;
    (void)size;
}
