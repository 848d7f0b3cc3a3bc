@ dense
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ FULLY_CONNECTED 32 to 8, ReLU, different factors; candidate: dense 8 ram

@ void cm4t_dense_8_d4972181(const int16_t *x, const int32_t *w, const int32_t *p, int16_t *o);
@ 784 bytes, the largest loop 560
    .syntax unified
    .thumb
    .pushsection .text.cm4t_dense_8_d4972181,"ax",%progbits
    .balign 32
    .global cm4t_dense_8_d4972181
    .type cm4t_dense_8_d4972181, %function
    .thumb_func
cm4t_dense_8_d4972181:
x                    .req r0   @ argument: the next input values
w                    .req r1   @ argument: the next weights
p                    .req r2   @ argument: the first parameters
o                    .req r3   @ argument: the first result
output               .req r0   @ a block's first result
parameters           .req lr   @ the next parameters
bound                .req r3   @ end of a loop on its way to the FPU registers
end                  .req r2   @ end of a loop
mantissa             .req r2   @ of a channel, or of all
rounding             .req r3   @ of a channel, or of all
shift                .req r12  @ of a channel
p_kept               .req s0   @ the next parameters
output_kept          .req s1   @ see output
x_start              .req s2   @ start of the input
x_end                .req s3   @ end of the input
sum0                 .req r4   @ an output channel
sum1                 .req r5   @ an output channel
sum2                 .req r6   @ an output channel
sum3                 .req r7   @ an output channel
sum4                 .req r8   @ an output channel
sum5                 .req r9   @ an output channel
sum6                 .req r10  @ an output channel
sum7                 .req r11  @ an output channel
t0                   .req r2   @ a pair of inputs or of weights
t1                   .req r3   @ a pair of inputs or of weights
t2                   .req r12  @ a pair of inputs or of weights
t3                   .req lr   @ a pair of inputs or of weights
    push {r4-r11, lr}
    sub.w x, x, #4
    sub.w w, w, #4
    vmov p_kept, p
    vmov output_kept, o
    vmov x_start, x
    add.w bound, x, #64
    vmov x_end, bound
1:
    vmov x, x_start
    vmov parameters, p_kept
    ldmia parameters!, {sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7}
    vmov p_kept, parameters
2:
    ldr.w t0, [x, #4]
    ldr.w t1, [w, #4]
    ldr.w t2, [w, #8]
    ldr.w t3, [w, #12]
    smlad sum0, t0, t1, sum0
    smlad sum1, t0, t2, sum1
    smlad sum2, t0, t3, sum2
    ldr.w t1, [w, #16]
    ldr.w t2, [w, #20]
    ldr.w t3, [w, #24]
    smlad sum3, t0, t1, sum3
    smlad sum4, t0, t2, sum4
    smlad sum5, t0, t3, sum5
    ldr.w t1, [w, #28]
    ldr.w t2, [w, #32]
    ldr.w t3, [x, #8]
    smlad sum6, t0, t1, sum6
    smlad sum7, t0, t2, sum7
    ldr.w t0, [w, #36]
    ldr.w t1, [w, #40]
    ldr.w t2, [w, #44]
    smlad sum0, t3, t0, sum0
    smlad sum1, t3, t1, sum1
    smlad sum2, t3, t2, sum2
    ldr.w t0, [w, #48]
    ldr.w t1, [w, #52]
    ldr.w t2, [w, #56]
    smlad sum3, t3, t0, sum3
    smlad sum4, t3, t1, sum4
    smlad sum5, t3, t2, sum5
    ldr.w t0, [w, #60]
    ldr.w t1, [w, #64]
    ldr.w t2, [x, #12]
    smlad sum6, t3, t0, sum6
    smlad sum7, t3, t1, sum7
    ldr.w t3, [w, #68]
    ldr.w t0, [w, #72]
    ldr.w t1, [w, #76]
    smlad sum0, t2, t3, sum0
    smlad sum1, t2, t0, sum1
    smlad sum2, t2, t1, sum2
    ldr.w t3, [w, #80]
    ldr.w t0, [w, #84]
    ldr.w t1, [w, #88]
    smlad sum3, t2, t3, sum3
    smlad sum4, t2, t0, sum4
    smlad sum5, t2, t1, sum5
    ldr.w t3, [w, #92]
    ldr.w t0, [w, #96]
    ldr.w t1, [x, #16]
    smlad sum6, t2, t3, sum6
    smlad sum7, t2, t0, sum7
    ldr.w t2, [w, #100]
    ldr.w t3, [w, #104]
    ldr.w t0, [w, #108]
    smlad sum0, t1, t2, sum0
    smlad sum1, t1, t3, sum1
    smlad sum2, t1, t0, sum2
    ldr.w t2, [w, #112]
    ldr.w t3, [w, #116]
    ldr.w t0, [w, #120]
    smlad sum3, t1, t2, sum3
    smlad sum4, t1, t3, sum4
    smlad sum5, t1, t0, sum5
    ldr.w t2, [w, #124]
    ldr.w t3, [w, #128]
    ldr.w t0, [x, #20]
    smlad sum6, t1, t2, sum6
    smlad sum7, t1, t3, sum7
    ldr.w t1, [w, #132]
    ldr.w t2, [w, #136]
    ldr.w t3, [w, #140]
    smlad sum0, t0, t1, sum0
    smlad sum1, t0, t2, sum1
    smlad sum2, t0, t3, sum2
    ldr.w t1, [w, #144]
    ldr.w t2, [w, #148]
    ldr.w t3, [w, #152]
    smlad sum3, t0, t1, sum3
    smlad sum4, t0, t2, sum4
    smlad sum5, t0, t3, sum5
    ldr.w t1, [w, #156]
    ldr.w t2, [w, #160]
    ldr.w t3, [x, #24]
    smlad sum6, t0, t1, sum6
    smlad sum7, t0, t2, sum7
    ldr.w t0, [w, #164]
    ldr.w t1, [w, #168]
    ldr.w t2, [w, #172]
    smlad sum0, t3, t0, sum0
    smlad sum1, t3, t1, sum1
    smlad sum2, t3, t2, sum2
    ldr.w t0, [w, #176]
    ldr.w t1, [w, #180]
    ldr.w t2, [w, #184]
    smlad sum3, t3, t0, sum3
    smlad sum4, t3, t1, sum4
    smlad sum5, t3, t2, sum5
    ldr.w t0, [w, #188]
    ldr.w t1, [w, #192]
    ldr.w t2, [x, #28]
    smlad sum6, t3, t0, sum6
    smlad sum7, t3, t1, sum7
    ldr.w t3, [w, #196]
    ldr.w t0, [w, #200]
    ldr.w t1, [w, #204]
    smlad sum0, t2, t3, sum0
    smlad sum1, t2, t0, sum1
    smlad sum2, t2, t1, sum2
    ldr.w t3, [w, #208]
    ldr.w t0, [w, #212]
    ldr.w t1, [w, #216]
    smlad sum3, t2, t3, sum3
    smlad sum4, t2, t0, sum4
    smlad sum5, t2, t1, sum5
    ldr.w t3, [w, #220]
    ldr.w t0, [w, #224]
    ldr.w t1, [x, #32]!
    smlad sum6, t2, t3, sum6
    smlad sum7, t2, t0, sum7
    ldr.w t2, [w, #228]
    ldr.w t3, [w, #232]
    ldr.w t0, [w, #236]
    smlad sum0, t1, t2, sum0
    smlad sum1, t1, t3, sum1
    smlad sum2, t1, t0, sum2
    ldr.w t2, [w, #240]
    ldr.w t3, [w, #244]
    ldr.w t0, [w, #248]
    smlad sum3, t1, t2, sum3
    smlad sum4, t1, t3, sum4
    smlad sum5, t1, t0, sum5
    ldr.w t2, [w, #252]
    ldr.w t3, [w, #256]
    smlad sum6, t1, t2, sum6
    smlad sum7, t1, t3, sum7
    add.w w, w, #256
    vmov end, x_end
    cmp.w x, end
    bne.w 2b
    vmov parameters, p_kept
    vmov output, output_kept
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum0, sum0, mantissa, rounding
    asr.w sum0, sum0, shift
    usat sum0, #8, sum0
    strh.w sum0, [output, #0]
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum1, sum1, mantissa, rounding
    asr.w sum1, sum1, shift
    usat sum1, #8, sum1
    strh.w sum1, [output, #2]
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum2, sum2, mantissa, rounding
    asr.w sum2, sum2, shift
    usat sum2, #8, sum2
    strh.w sum2, [output, #4]
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum3, sum3, mantissa, rounding
    asr.w sum3, sum3, shift
    usat sum3, #8, sum3
    strh.w sum3, [output, #6]
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum4, sum4, mantissa, rounding
    asr.w sum4, sum4, shift
    usat sum4, #8, sum4
    strh.w sum4, [output, #8]
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum5, sum5, mantissa, rounding
    asr.w sum5, sum5, shift
    usat sum5, #8, sum5
    strh.w sum5, [output, #10]
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum6, sum6, mantissa, rounding
    asr.w sum6, sum6, shift
    usat sum6, #8, sum6
    strh.w sum6, [output, #12]
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum7, sum7, mantissa, rounding
    asr.w sum7, sum7, shift
    usat sum7, #8, sum7
    strh.w sum7, [output, #14]
    add.w output, output, #16
    pop {r4-r11, pc}
    .unreq x
    .unreq w
    .unreq p
    .unreq o
    .unreq output
    .unreq parameters
    .unreq bound
    .unreq end
    .unreq mantissa
    .unreq rounding
    .unreq shift
    .unreq p_kept
    .unreq output_kept
    .unreq x_start
    .unreq x_end
    .unreq sum0
    .unreq sum1
    .unreq sum2
    .unreq sum3
    .unreq sum4
    .unreq sum5
    .unreq sum6
    .unreq sum7
    .unreq t0
    .unreq t1
    .unreq t2
    .unreq t3
    .size cm4t_dense_8_d4972181, . - cm4t_dense_8_d4972181
    .popsection

@ -----------------------------------------------------------------------------
@ FULLY_CONNECTED 32 to 8, ReLU, different factors; candidate: dense 4 merged-ram

@ void cm4t_dense_4_a9da28d1(const int16_t *x, const int32_t *w, const int32_t *p, int16_t *o);
@ 756 bytes, the largest loop 728
    .syntax unified
    .thumb
    .pushsection .text.cm4t_dense_4_a9da28d1,"ax",%progbits
    .balign 32
    .global cm4t_dense_4_a9da28d1
    .type cm4t_dense_4_a9da28d1, %function
    .thumb_func
cm4t_dense_4_a9da28d1:
x                    .req r0   @ argument: the next input values
w                    .req r1   @ argument: the next weights
p                    .req r2   @ argument: the first parameters
o                    .req r3   @ argument: the first result
output               .req r0   @ a block's first result
parameters           .req lr   @ the next parameters
bound                .req r3   @ end of a loop on its way to the FPU registers
end                  .req r2   @ end of a loop
even                 .req r2   @ merged: bias of a channel
odd                  .req r3   @ merged: bias of the next channel
mantissa             .req r2   @ of a channel, or of all
rounding             .req r3   @ of a channel, or of all
shift                .req r12  @ of a channel
p_kept               .req s0   @ the next parameters
output_kept          .req s1   @ see output
x_start              .req s2   @ start of the input
p_end                .req s4   @ end of the parameters
sum0                 .req r4   @ an output channel
sum1                 .req r5   @ an output channel
sum2                 .req r6   @ an output channel
sum3                 .req r7   @ an output channel
t0                   .req r2   @ a pair of inputs or of weights
t1                   .req r3   @ a pair of inputs or of weights
t2                   .req r12  @ a pair of inputs or of weights
t3                   .req lr   @ a pair of inputs or of weights
t4                   .req r8   @ a pair of inputs or of weights
t5                   .req r9   @ a pair of inputs or of weights
t6                   .req r10  @ a pair of inputs or of weights
t7                   .req r11  @ a pair of inputs or of weights
    push {r4-r11, lr}
    vmov p_kept, p
    vmov output_kept, o
    vmov x_start, x
    add.w bound, p, #128
    vmov p_end, bound
1:
    vmov x, x_start
    ldr.w t0, [x, #0]
    ldr.w t1, [w, #0]
    ldr.w t2, [w, #4]
    ldr.w t3, [x, #4]
    ldr.w t4, [w, #8]
    ldr.w t5, [w, #12]
    ldr.w t6, [x, #8]
    ldr.w t7, [w, #16]
    smuad sum0, t0, t1
    smuad sum2, t0, t2
    smlad sum0, t3, t4, sum0
    smlad sum2, t3, t5, sum2
    smlad sum0, t6, t7, sum0
    sxtb16 t1, t1
    sxtb16 t2, t2
    sxtb16 t4, t4
    sxtb16 t5, t5
    sxtb16 t7, t7
    smuad sum1, t0, t1
    smuad sum3, t0, t2
    smlad sum1, t3, t4, sum1
    smlad sum3, t3, t5, sum3
    smlad sum1, t6, t7, sum1
    ldr.w t0, [w, #20]
    ldr.w t3, [x, #12]
    ldr.w t1, [w, #24]
    ldr.w t2, [w, #28]
    ldr.w t4, [x, #16]
    ldr.w t5, [w, #32]
    ldr.w t7, [w, #36]
    smlad sum2, t6, t0, sum2
    smlad sum0, t3, t1, sum0
    smlad sum2, t3, t2, sum2
    smlad sum0, t4, t5, sum0
    smlad sum2, t4, t7, sum2
    sxtb16 t0, t0
    sxtb16 t1, t1
    sxtb16 t2, t2
    sxtb16 t5, t5
    sxtb16 t7, t7
    smlad sum3, t6, t0, sum3
    smlad sum1, t3, t1, sum1
    smlad sum3, t3, t2, sum3
    smlad sum1, t4, t5, sum1
    smlad sum3, t4, t7, sum3
    ldr.w t6, [x, #20]
    ldr.w t3, [w, #40]
    ldr.w t4, [w, #44]
    ldr.w t0, [x, #24]
    ldr.w t1, [w, #48]
    ldr.w t2, [w, #52]
    ldr.w t5, [x, #28]
    ldr.w t7, [w, #56]
    smlad sum0, t6, t3, sum0
    smlad sum2, t6, t4, sum2
    smlad sum0, t0, t1, sum0
    smlad sum2, t0, t2, sum2
    smlad sum0, t5, t7, sum0
    sxtb16 t3, t3
    sxtb16 t4, t4
    sxtb16 t1, t1
    sxtb16 t2, t2
    sxtb16 t7, t7
    smlad sum1, t6, t3, sum1
    smlad sum3, t6, t4, sum3
    smlad sum1, t0, t1, sum1
    smlad sum3, t0, t2, sum3
    smlad sum1, t5, t7, sum1
    ldr.w t6, [w, #60]
    ldr.w t0, [x, #32]
    ldr.w t3, [w, #64]
    ldr.w t4, [w, #68]
    ldr.w t1, [x, #36]
    ldr.w t2, [w, #72]
    ldr.w t7, [w, #76]
    smlad sum2, t5, t6, sum2
    smlad sum0, t0, t3, sum0
    smlad sum2, t0, t4, sum2
    smlad sum0, t1, t2, sum0
    smlad sum2, t1, t7, sum2
    sxtb16 t6, t6
    sxtb16 t3, t3
    sxtb16 t4, t4
    sxtb16 t2, t2
    sxtb16 t7, t7
    smlad sum3, t5, t6, sum3
    smlad sum1, t0, t3, sum1
    smlad sum3, t0, t4, sum3
    smlad sum1, t1, t2, sum1
    smlad sum3, t1, t7, sum3
    ldr.w t5, [x, #40]
    ldr.w t0, [w, #80]
    ldr.w t1, [w, #84]
    ldr.w t6, [x, #44]
    ldr.w t3, [w, #88]
    ldr.w t4, [w, #92]
    ldr.w t2, [x, #48]
    ldr.w t7, [w, #96]
    smlad sum0, t5, t0, sum0
    smlad sum2, t5, t1, sum2
    smlad sum0, t6, t3, sum0
    smlad sum2, t6, t4, sum2
    smlad sum0, t2, t7, sum0
    sxtb16 t0, t0
    sxtb16 t1, t1
    sxtb16 t3, t3
    sxtb16 t4, t4
    sxtb16 t7, t7
    smlad sum1, t5, t0, sum1
    smlad sum3, t5, t1, sum3
    smlad sum1, t6, t3, sum1
    smlad sum3, t6, t4, sum3
    smlad sum1, t2, t7, sum1
    ldr.w t5, [w, #100]
    ldr.w t6, [x, #52]
    ldr.w t0, [w, #104]
    ldr.w t1, [w, #108]
    ldr.w t3, [x, #56]
    ldr.w t4, [w, #112]
    ldr.w t7, [w, #116]
    smlad sum2, t2, t5, sum2
    smlad sum0, t6, t0, sum0
    smlad sum2, t6, t1, sum2
    smlad sum0, t3, t4, sum0
    smlad sum2, t3, t7, sum2
    sxtb16 t5, t5
    sxtb16 t0, t0
    sxtb16 t1, t1
    sxtb16 t4, t4
    sxtb16 t7, t7
    smlad sum3, t2, t5, sum3
    smlad sum1, t6, t0, sum1
    smlad sum3, t6, t1, sum3
    smlad sum1, t3, t4, sum1
    smlad sum3, t3, t7, sum3
    ldr.w t2, [x, #60]
    ldr.w t6, [w, #120]
    ldr.w t3, [w, #124]
    smlad sum0, t2, t6, sum0
    smlad sum2, t2, t3, sum2
    sxtb16 t6, t6
    sxtb16 t3, t3
    smlad sum1, t2, t6, sum1
    smlad sum3, t2, t3, sum3
    add.w w, w, #128
    vmov parameters, p_kept
    vmov output, output_kept
    ldmia parameters!, {even, odd}
    sub.w sum0, sum0, sum1
    add.w sum1, odd, sum1, lsl #1
    add.w sum0, even, sum0, asr #7
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum0, sum0, mantissa, rounding
    asr.w sum0, sum0, shift
    usat sum0, #8, sum0
    strh.w sum0, [output, #0]
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum1, sum1, mantissa, rounding
    asr.w sum1, sum1, shift
    usat sum1, #8, sum1
    strh.w sum1, [output, #2]
    ldmia parameters!, {even, odd}
    sub.w sum2, sum2, sum3
    add.w sum3, odd, sum3, lsl #1
    add.w sum2, even, sum2, asr #7
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum2, sum2, mantissa, rounding
    asr.w sum2, sum2, shift
    usat sum2, #8, sum2
    strh.w sum2, [output, #4]
    ldmia parameters!, {mantissa, rounding, shift}
    smmlar sum3, sum3, mantissa, rounding
    asr.w sum3, sum3, shift
    usat sum3, #8, sum3
    strh.w sum3, [output, #6]
    add.w output, output, #8
    vmov p_kept, parameters
    vmov output_kept, output
    vmov end, p_end
    cmp.w parameters, end
    bne.w 1b
    pop {r4-r11, pc}
    .unreq x
    .unreq w
    .unreq p
    .unreq o
    .unreq output
    .unreq parameters
    .unreq bound
    .unreq end
    .unreq even
    .unreq odd
    .unreq mantissa
    .unreq rounding
    .unreq shift
    .unreq p_kept
    .unreq output_kept
    .unreq x_start
    .unreq p_end
    .unreq sum0
    .unreq sum1
    .unreq sum2
    .unreq sum3
    .unreq t0
    .unreq t1
    .unreq t2
    .unreq t3
    .unreq t4
    .unreq t5
    .unreq t6
    .unreq t7
    .size cm4t_dense_4_a9da28d1, . - cm4t_dense_4_a9da28d1
    .popsection

@ -----------------------------------------------------------------------------
@ FULLY_CONNECTED 32 to 8, no activation, one factor; candidate: dense 4 ram

@ void cm4t_dense_4_a3b02bf1(const int16_t *x, const int32_t *w, const int32_t *p, int16_t *o);
@ 748 bytes, the largest loop 716
    .syntax unified
    .thumb
    .pushsection .text.cm4t_dense_4_a3b02bf1,"ax",%progbits
    .balign 32
    .global cm4t_dense_4_a3b02bf1
    .type cm4t_dense_4_a3b02bf1, %function
    .thumb_func
cm4t_dense_4_a3b02bf1:
x                    .req r0   @ argument: the next input values
w                    .req r1   @ argument: the next weights
p                    .req r2   @ argument: the first parameters
o                    .req r3   @ argument: the first result
output               .req r0   @ a block's first result
parameters           .req lr   @ the next parameters
bound                .req r3   @ end of a loop on its way to the FPU registers
end                  .req r2   @ end of a loop
mantissa             .req r2   @ of a channel, or of all
rounding             .req r3   @ of a channel, or of all
p_kept               .req s0   @ the next parameters
output_kept          .req s1   @ see output
x_start              .req s2   @ start of the input
p_end                .req s4   @ end of the parameters
mantissa_held        .req s6   @ of all channels
rounding_held        .req s7   @ of all channels
sum0                 .req r4   @ an output channel
sum1                 .req r5   @ an output channel
sum2                 .req r6   @ an output channel
sum3                 .req r7   @ an output channel
t0                   .req r2   @ a pair of inputs or of weights
t1                   .req r3   @ a pair of inputs or of weights
t2                   .req r12  @ a pair of inputs or of weights
t3                   .req lr   @ a pair of inputs or of weights
t4                   .req r8   @ a pair of inputs or of weights
t5                   .req r9   @ a pair of inputs or of weights
t6                   .req r10  @ a pair of inputs or of weights
t7                   .req r11  @ a pair of inputs or of weights
scaled               .req r12  @ a scaled sum, linear form
    push {r4-r11, lr}
    vldmia p!, {mantissa_held-rounding_held}
    vmov p_kept, p
    vmov output_kept, o
    vmov x_start, x
    add.w bound, p, #32
    vmov p_end, bound
1:
    vmov x, x_start
    vmov parameters, p_kept
    ldmia parameters!, {sum0, sum1, sum2, sum3}
    vmov p_kept, parameters
    ldr.w t0, [x, #0]
    ldr.w t1, [w, #0]
    ldr.w t2, [w, #4]
    ldr.w t3, [w, #8]
    ldr.w t4, [w, #12]
    ldr.w t5, [x, #4]
    ldr.w t6, [w, #16]
    ldr.w t7, [w, #20]
    smlad sum0, t0, t1, sum0
    smlad sum1, t0, t2, sum1
    smlad sum2, t0, t3, sum2
    smlad sum3, t0, t4, sum3
    smlad sum0, t5, t6, sum0
    smlad sum1, t5, t7, sum1
    ldr.w t0, [w, #24]
    ldr.w t1, [w, #28]
    ldr.w t2, [x, #8]
    ldr.w t3, [w, #32]
    ldr.w t4, [w, #36]
    ldr.w t6, [w, #40]
    ldr.w t7, [w, #44]
    smlad sum2, t5, t0, sum2
    smlad sum3, t5, t1, sum3
    smlad sum0, t2, t3, sum0
    smlad sum1, t2, t4, sum1
    smlad sum2, t2, t6, sum2
    smlad sum3, t2, t7, sum3
    ldr.w t5, [x, #12]
    ldr.w t0, [w, #48]
    ldr.w t1, [w, #52]
    ldr.w t2, [w, #56]
    ldr.w t3, [w, #60]
    ldr.w t4, [x, #16]
    ldr.w t6, [w, #64]
    ldr.w t7, [w, #68]
    smlad sum0, t5, t0, sum0
    smlad sum1, t5, t1, sum1
    smlad sum2, t5, t2, sum2
    smlad sum3, t5, t3, sum3
    smlad sum0, t4, t6, sum0
    smlad sum1, t4, t7, sum1
    ldr.w t5, [w, #72]
    ldr.w t0, [w, #76]
    ldr.w t1, [x, #20]
    ldr.w t2, [w, #80]
    ldr.w t3, [w, #84]
    ldr.w t6, [w, #88]
    ldr.w t7, [w, #92]
    smlad sum2, t4, t5, sum2
    smlad sum3, t4, t0, sum3
    smlad sum0, t1, t2, sum0
    smlad sum1, t1, t3, sum1
    smlad sum2, t1, t6, sum2
    smlad sum3, t1, t7, sum3
    ldr.w t4, [x, #24]
    ldr.w t5, [w, #96]
    ldr.w t0, [w, #100]
    ldr.w t1, [w, #104]
    ldr.w t2, [w, #108]
    ldr.w t3, [x, #28]
    ldr.w t6, [w, #112]
    ldr.w t7, [w, #116]
    smlad sum0, t4, t5, sum0
    smlad sum1, t4, t0, sum1
    smlad sum2, t4, t1, sum2
    smlad sum3, t4, t2, sum3
    smlad sum0, t3, t6, sum0
    smlad sum1, t3, t7, sum1
    ldr.w t4, [w, #120]
    ldr.w t5, [w, #124]
    ldr.w t0, [x, #32]
    ldr.w t1, [w, #128]
    ldr.w t2, [w, #132]
    ldr.w t6, [w, #136]
    ldr.w t7, [w, #140]
    smlad sum2, t3, t4, sum2
    smlad sum3, t3, t5, sum3
    smlad sum0, t0, t1, sum0
    smlad sum1, t0, t2, sum1
    smlad sum2, t0, t6, sum2
    smlad sum3, t0, t7, sum3
    ldr.w t3, [x, #36]
    ldr.w t4, [w, #144]
    ldr.w t5, [w, #148]
    ldr.w t0, [w, #152]
    ldr.w t1, [w, #156]
    ldr.w t2, [x, #40]
    ldr.w t6, [w, #160]
    ldr.w t7, [w, #164]
    smlad sum0, t3, t4, sum0
    smlad sum1, t3, t5, sum1
    smlad sum2, t3, t0, sum2
    smlad sum3, t3, t1, sum3
    smlad sum0, t2, t6, sum0
    smlad sum1, t2, t7, sum1
    ldr.w t3, [w, #168]
    ldr.w t4, [w, #172]
    ldr.w t5, [x, #44]
    ldr.w t0, [w, #176]
    ldr.w t1, [w, #180]
    ldr.w t6, [w, #184]
    ldr.w t7, [w, #188]
    smlad sum2, t2, t3, sum2
    smlad sum3, t2, t4, sum3
    smlad sum0, t5, t0, sum0
    smlad sum1, t5, t1, sum1
    smlad sum2, t5, t6, sum2
    smlad sum3, t5, t7, sum3
    ldr.w t2, [x, #48]
    ldr.w t3, [w, #192]
    ldr.w t4, [w, #196]
    ldr.w t5, [w, #200]
    ldr.w t0, [w, #204]
    ldr.w t1, [x, #52]
    ldr.w t6, [w, #208]
    ldr.w t7, [w, #212]
    smlad sum0, t2, t3, sum0
    smlad sum1, t2, t4, sum1
    smlad sum2, t2, t5, sum2
    smlad sum3, t2, t0, sum3
    smlad sum0, t1, t6, sum0
    smlad sum1, t1, t7, sum1
    ldr.w t2, [w, #216]
    ldr.w t3, [w, #220]
    ldr.w t4, [x, #56]
    ldr.w t5, [w, #224]
    ldr.w t0, [w, #228]
    ldr.w t6, [w, #232]
    ldr.w t7, [w, #236]
    smlad sum2, t1, t2, sum2
    smlad sum3, t1, t3, sum3
    smlad sum0, t4, t5, sum0
    smlad sum1, t4, t0, sum1
    smlad sum2, t4, t6, sum2
    smlad sum3, t4, t7, sum3
    ldr.w t1, [x, #60]
    ldr.w t2, [w, #240]
    ldr.w t3, [w, #244]
    ldr.w t4, [w, #248]
    ldr.w t5, [w, #252]
    smlad sum0, t1, t2, sum0
    smlad sum1, t1, t3, sum1
    smlad sum2, t1, t4, sum2
    smlad sum3, t1, t5, sum3
    add.w w, w, #256
    vmov parameters, p_kept
    vmov output, output_kept
    vmov mantissa, mantissa_held
    vmov rounding, rounding_held
    smmlar scaled, sum0, mantissa, rounding
    add.w sum0, scaled, sum0, asr #31
    smmlar scaled, sum1, mantissa, rounding
    add.w sum1, scaled, sum1, asr #31
    smmlar scaled, sum2, mantissa, rounding
    add.w sum2, scaled, sum2, asr #31
    smmlar scaled, sum3, mantissa, rounding
    add.w sum3, scaled, sum3, asr #31
    ssat sum0, #8, sum0, asr #8
    ssat sum1, #8, sum1, asr #8
    ssat sum2, #8, sum2, asr #8
    ssat sum3, #8, sum3, asr #8
    sub.w sum0, sum0, #5
    sub.w sum1, sum1, #5
    sub.w sum2, sum2, #5
    sub.w sum3, sum3, #5
    strh.w sum0, [output, #0]
    strh.w sum1, [output, #2]
    strh.w sum2, [output, #4]
    strh.w sum3, [output, #6]
    add.w output, output, #8
    vmov p_kept, parameters
    vmov output_kept, output
    vmov end, p_end
    cmp.w parameters, end
    bne.w 1b
    pop {r4-r11, pc}
    .unreq x
    .unreq w
    .unreq p
    .unreq o
    .unreq output
    .unreq parameters
    .unreq bound
    .unreq end
    .unreq mantissa
    .unreq rounding
    .unreq p_kept
    .unreq output_kept
    .unreq x_start
    .unreq p_end
    .unreq mantissa_held
    .unreq rounding_held
    .unreq sum0
    .unreq sum1
    .unreq sum2
    .unreq sum3
    .unreq t0
    .unreq t1
    .unreq t2
    .unreq t3
    .unreq t4
    .unreq t5
    .unreq t6
    .unreq t7
    .unreq scaled
    .size cm4t_dense_4_a3b02bf1, . - cm4t_dense_4_a3b02bf1
    .popsection
