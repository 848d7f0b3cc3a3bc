// SPDX-License-Identifier: Apache-2.0
/* Between the harness and the generated code of OctoML's submission to round v1.0: what its tvmruntime.cpp did on Zephyr.
 *
 * octoml_config.h is made from the submission's own CMakeLists.txt. The structs of tvmgen_default.h have one member each, named after the
 * tensor of the model, so they are initialised by position. */
#include <stdint.h>

#include "model.h"
#include "octoml_config.h"
#include "tvm/runtime/c_backend_api.h"
#include "tvm/runtime/crt/platform.h"
#include "tvm/runtime/crt/stack_allocator.h"
#include "tvmgen_default.h"

static uint8_t memory[OCTOML_WORKSPACE_SIZE] __attribute__((aligned(16)));
static tvm_workspace_t workspace;

const char *cm4tiny_model_init(void)
{
    return StackMemoryManager_Init(&workspace, memory, sizeof memory) == kTvmErrorNoError ? 0 : "the workspace cannot be set up";
}

/* Generated code checks neither its workspaces nor its results on Zephyr: a failure restarts the board there. Here it ends in the fault
 * report. */
void *TVMBackendAllocWorkspace(int device_type, int device_id, uint64_t nbytes, int dtype_code_hint, int dtype_bits_hint)
{
    (void)device_type;
    (void)device_id;
    (void)dtype_code_hint;
    (void)dtype_bits_hint;
    void *pointer = 0;
    if (StackMemoryManager_Allocate(&workspace, (int32_t)nbytes, &pointer) != kTvmErrorNoError) {
        __builtin_trap();
    }
    return pointer;
}

int TVMBackendFreeWorkspace(int device_type, int device_id, void *pointer)
{
    (void)device_type;
    (void)device_id;
    return StackMemoryManager_Free(&workspace, pointer);
}

#if CM4TINY_MODEL_FLOAT
void cm4tiny_model_run(const float *input, float *output)
#else
void cm4tiny_model_run(const int8_t *input, int8_t *output)
#endif
{
    struct tvmgen_default_inputs inputs = {(void *)(uintptr_t)input};
    struct tvmgen_default_outputs outputs = {output};
    if (tvmgen_default_run(&inputs, &outputs) != 0) {
        __builtin_trap();
    }
}
