@ add linear
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ ADD of 4x4x8, scales 0.02 and 0.025 to 0.03, ReLU; candidate: add linear

@ void cm4t_add_9a3c1f69(const int16_t *a, const int16_t *b, int16_t *o);
@ 700 bytes, the largest loop 664
    .syntax unified
    .thumb
    .pushsection .text.cm4t_add_9a3c1f69,"ax",%progbits
    .balign 32
    .global cm4t_add_9a3c1f69
    .type cm4t_add_9a3c1f69, %function
    .thumb_func
cm4t_add_9a3c1f69:
a_at                 .req r0   @ argument a: the next values
b_at                 .req r1   @ argument b: the next values
o_at                 .req r2   @ argument o: the next results
factor_a             .req r3   @ linear form: factor of a
temp                 .req r4   @ constants and ends on their way to the FPU registers and back
a_pair0              .req r4   @ linear form: two values of a
a_pair1              .req r5   @ linear form: two values of a
b_pair0              .req r6   @ two values of b
b_pair1              .req r7   @ two values of b
sum0                 .req r8   @ a value of a, then the sum, then the result
sum1                 .req r9   @ a value of a, then the sum, then the result
sum2                 .req r10  @ a value of a, then the sum, then the result
sum3                 .req r11  @ a value of a, then the sum, then the result
factor_b             .req r12  @ factor of b
offset               .req lr   @ linear form: what sums start with
iterations_end       .req s0   @ end in a of what a row's loop takes
    push {r4-r11, lr}
    movw factor_a, #21845
    movt factor_a, #21845
    movw offset, #19115
    movw factor_b, #43691
    movt factor_b, #27306
    add.w temp, a_at, #256
    vmov iterations_end, temp
2:
    ldr.w a_pair0, [a_at, #0]
    ldr.w a_pair1, [a_at, #4]
    ldr.w b_pair0, [b_at, #0]
    ldr.w b_pair1, [b_at, #4]
    smlawb sum0, factor_a, a_pair0, offset
    smlawt sum1, factor_a, a_pair0, offset
    smlawb sum2, factor_a, a_pair1, offset
    smlawt sum3, factor_a, a_pair1, offset
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    usat sum0, #8, sum0, asr #15
    usat sum1, #8, sum1, asr #15
    usat sum2, #8, sum2, asr #15
    usat sum3, #8, sum3, asr #15
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    str.w sum0, [o_at, #0]
    str.w sum2, [o_at, #4]
    ldr.w a_pair0, [a_at, #8]
    ldr.w a_pair1, [a_at, #12]
    ldr.w b_pair0, [b_at, #8]
    ldr.w b_pair1, [b_at, #12]
    smlawb sum0, factor_a, a_pair0, offset
    smlawt sum1, factor_a, a_pair0, offset
    smlawb sum2, factor_a, a_pair1, offset
    smlawt sum3, factor_a, a_pair1, offset
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    usat sum0, #8, sum0, asr #15
    usat sum1, #8, sum1, asr #15
    usat sum2, #8, sum2, asr #15
    usat sum3, #8, sum3, asr #15
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    str.w sum0, [o_at, #8]
    str.w sum2, [o_at, #12]
    ldr.w a_pair0, [a_at, #16]
    ldr.w a_pair1, [a_at, #20]
    ldr.w b_pair0, [b_at, #16]
    ldr.w b_pair1, [b_at, #20]
    smlawb sum0, factor_a, a_pair0, offset
    smlawt sum1, factor_a, a_pair0, offset
    smlawb sum2, factor_a, a_pair1, offset
    smlawt sum3, factor_a, a_pair1, offset
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    usat sum0, #8, sum0, asr #15
    usat sum1, #8, sum1, asr #15
    usat sum2, #8, sum2, asr #15
    usat sum3, #8, sum3, asr #15
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    str.w sum0, [o_at, #16]
    str.w sum2, [o_at, #20]
    ldr.w a_pair0, [a_at, #24]
    ldr.w a_pair1, [a_at, #28]
    ldr.w b_pair0, [b_at, #24]
    ldr.w b_pair1, [b_at, #28]
    smlawb sum0, factor_a, a_pair0, offset
    smlawt sum1, factor_a, a_pair0, offset
    smlawb sum2, factor_a, a_pair1, offset
    smlawt sum3, factor_a, a_pair1, offset
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    usat sum0, #8, sum0, asr #15
    usat sum1, #8, sum1, asr #15
    usat sum2, #8, sum2, asr #15
    usat sum3, #8, sum3, asr #15
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    str.w sum0, [o_at, #24]
    str.w sum2, [o_at, #28]
    ldr.w a_pair0, [a_at, #32]
    ldr.w a_pair1, [a_at, #36]
    ldr.w b_pair0, [b_at, #32]
    ldr.w b_pair1, [b_at, #36]
    smlawb sum0, factor_a, a_pair0, offset
    smlawt sum1, factor_a, a_pair0, offset
    smlawb sum2, factor_a, a_pair1, offset
    smlawt sum3, factor_a, a_pair1, offset
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    usat sum0, #8, sum0, asr #15
    usat sum1, #8, sum1, asr #15
    usat sum2, #8, sum2, asr #15
    usat sum3, #8, sum3, asr #15
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    str.w sum0, [o_at, #32]
    str.w sum2, [o_at, #36]
    ldr.w a_pair0, [a_at, #40]
    ldr.w a_pair1, [a_at, #44]
    ldr.w b_pair0, [b_at, #40]
    ldr.w b_pair1, [b_at, #44]
    smlawb sum0, factor_a, a_pair0, offset
    smlawt sum1, factor_a, a_pair0, offset
    smlawb sum2, factor_a, a_pair1, offset
    smlawt sum3, factor_a, a_pair1, offset
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    usat sum0, #8, sum0, asr #15
    usat sum1, #8, sum1, asr #15
    usat sum2, #8, sum2, asr #15
    usat sum3, #8, sum3, asr #15
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    str.w sum0, [o_at, #40]
    str.w sum2, [o_at, #44]
    ldr.w a_pair0, [a_at, #48]
    ldr.w a_pair1, [a_at, #52]
    ldr.w b_pair0, [b_at, #48]
    ldr.w b_pair1, [b_at, #52]
    smlawb sum0, factor_a, a_pair0, offset
    smlawt sum1, factor_a, a_pair0, offset
    smlawb sum2, factor_a, a_pair1, offset
    smlawt sum3, factor_a, a_pair1, offset
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    usat sum0, #8, sum0, asr #15
    usat sum1, #8, sum1, asr #15
    usat sum2, #8, sum2, asr #15
    usat sum3, #8, sum3, asr #15
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    str.w sum0, [o_at, #48]
    str.w sum2, [o_at, #52]
    ldr.w a_pair0, [a_at, #56]
    ldr.w a_pair1, [a_at, #60]
    ldr.w b_pair0, [b_at, #56]
    ldr.w b_pair1, [b_at, #60]
    smlawb sum0, factor_a, a_pair0, offset
    smlawt sum1, factor_a, a_pair0, offset
    smlawb sum2, factor_a, a_pair1, offset
    smlawt sum3, factor_a, a_pair1, offset
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    usat sum0, #8, sum0, asr #15
    usat sum1, #8, sum1, asr #15
    usat sum2, #8, sum2, asr #15
    usat sum3, #8, sum3, asr #15
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    str.w sum0, [o_at, #56]
    str.w sum2, [o_at, #60]
    add.w a_at, a_at, #64
    add.w b_at, b_at, #64
    add.w o_at, o_at, #64
    vmov temp, iterations_end
    cmp.w a_at, temp
    bne.w 2b
    pop {r4-r11, pc}
    .unreq a_at
    .unreq b_at
    .unreq o_at
    .unreq factor_a
    .unreq temp
    .unreq a_pair0
    .unreq a_pair1
    .unreq b_pair0
    .unreq b_pair1
    .unreq sum0
    .unreq sum1
    .unreq sum2
    .unreq sum3
    .unreq factor_b
    .unreq offset
    .unreq iterations_end
    .size cm4t_add_9a3c1f69, . - cm4t_add_9a3c1f69
    .popsection
