@ add table
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ ADD of 4x4x8, scales 0.05 and 0.0535 to 0.05, no activation; candidate: add table copied

@ void cm4t_add_61c9860e(const int16_t *a, const int16_t *b, int16_t *o, const int32_t *t);
@ 860 bytes, the largest loop 824
    .syntax unified
    .thumb
    .pushsection .text.cm4t_add_61c9860e,"ax",%progbits
    .balign 32
    .global cm4t_add_61c9860e
    .type cm4t_add_61c9860e, %function
    .thumb_func
cm4t_add_61c9860e:
a_at                 .req r0   @ argument a: the next values
b_at                 .req r1   @ argument b: the next values
o_at                 .req r2   @ argument o: the next results
t                    .req r3   @ argument, form with a table: its entry of value 0
temp                 .req r4   @ constants and ends on their way to the FPU registers and back
b_pair0              .req r6   @ two values of b
b_pair1              .req r7   @ two values of b
sum0                 .req r8   @ a value of a, then the sum, then the result
sum1                 .req r9   @ a value of a, then the sum, then the result
sum2                 .req r10  @ a value of a, then the sum, then the result
sum3                 .req r11  @ a value of a, then the sum, then the result
factor_b             .req r12  @ factor of b
iterations_end       .req s0   @ end in a of what a row's loop takes
zero_point           .req s2   @ of the output, twice
    push {r4-r11, lr}
    movw factor_b, #57672
    movt factor_b, #17530
    movw temp, #4
    movt temp, #4
    vmov zero_point, temp
    add.w temp, a_at, #256
    vmov iterations_end, temp
2:
    ldrsh.w sum0, [a_at, #0]
    ldrsh.w sum1, [a_at, #2]
    ldrsh.w sum2, [a_at, #4]
    ldrsh.w sum3, [a_at, #6]
    ldr.w b_pair0, [b_at, #0]
    ldr.w b_pair1, [b_at, #4]
    ldr.w sum0, [t, sum0, lsl #2]
    ldr.w sum1, [t, sum1, lsl #2]
    ldr.w sum2, [t, sum2, lsl #2]
    ldr.w sum3, [t, sum3, lsl #2]
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    ssat sum0, #8, sum0, asr #14
    ssat sum1, #8, sum1, asr #14
    ssat sum2, #8, sum2, asr #14
    ssat sum3, #8, sum3, asr #14
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    vmov temp, zero_point
    ssub16 sum0, sum0, temp
    ssub16 sum2, sum2, temp
    str.w sum0, [o_at, #0]
    str.w sum2, [o_at, #4]
    ldrsh.w sum0, [a_at, #8]
    ldrsh.w sum1, [a_at, #10]
    ldrsh.w sum2, [a_at, #12]
    ldrsh.w sum3, [a_at, #14]
    ldr.w b_pair0, [b_at, #8]
    ldr.w b_pair1, [b_at, #12]
    ldr.w sum0, [t, sum0, lsl #2]
    ldr.w sum1, [t, sum1, lsl #2]
    ldr.w sum2, [t, sum2, lsl #2]
    ldr.w sum3, [t, sum3, lsl #2]
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    ssat sum0, #8, sum0, asr #14
    ssat sum1, #8, sum1, asr #14
    ssat sum2, #8, sum2, asr #14
    ssat sum3, #8, sum3, asr #14
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    vmov temp, zero_point
    ssub16 sum0, sum0, temp
    ssub16 sum2, sum2, temp
    str.w sum0, [o_at, #8]
    str.w sum2, [o_at, #12]
    ldrsh.w sum0, [a_at, #16]
    ldrsh.w sum1, [a_at, #18]
    ldrsh.w sum2, [a_at, #20]
    ldrsh.w sum3, [a_at, #22]
    ldr.w b_pair0, [b_at, #16]
    ldr.w b_pair1, [b_at, #20]
    ldr.w sum0, [t, sum0, lsl #2]
    ldr.w sum1, [t, sum1, lsl #2]
    ldr.w sum2, [t, sum2, lsl #2]
    ldr.w sum3, [t, sum3, lsl #2]
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    ssat sum0, #8, sum0, asr #14
    ssat sum1, #8, sum1, asr #14
    ssat sum2, #8, sum2, asr #14
    ssat sum3, #8, sum3, asr #14
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    vmov temp, zero_point
    ssub16 sum0, sum0, temp
    ssub16 sum2, sum2, temp
    str.w sum0, [o_at, #16]
    str.w sum2, [o_at, #20]
    ldrsh.w sum0, [a_at, #24]
    ldrsh.w sum1, [a_at, #26]
    ldrsh.w sum2, [a_at, #28]
    ldrsh.w sum3, [a_at, #30]
    ldr.w b_pair0, [b_at, #24]
    ldr.w b_pair1, [b_at, #28]
    ldr.w sum0, [t, sum0, lsl #2]
    ldr.w sum1, [t, sum1, lsl #2]
    ldr.w sum2, [t, sum2, lsl #2]
    ldr.w sum3, [t, sum3, lsl #2]
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    ssat sum0, #8, sum0, asr #14
    ssat sum1, #8, sum1, asr #14
    ssat sum2, #8, sum2, asr #14
    ssat sum3, #8, sum3, asr #14
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    vmov temp, zero_point
    ssub16 sum0, sum0, temp
    ssub16 sum2, sum2, temp
    str.w sum0, [o_at, #24]
    str.w sum2, [o_at, #28]
    ldrsh.w sum0, [a_at, #32]
    ldrsh.w sum1, [a_at, #34]
    ldrsh.w sum2, [a_at, #36]
    ldrsh.w sum3, [a_at, #38]
    ldr.w b_pair0, [b_at, #32]
    ldr.w b_pair1, [b_at, #36]
    ldr.w sum0, [t, sum0, lsl #2]
    ldr.w sum1, [t, sum1, lsl #2]
    ldr.w sum2, [t, sum2, lsl #2]
    ldr.w sum3, [t, sum3, lsl #2]
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    ssat sum0, #8, sum0, asr #14
    ssat sum1, #8, sum1, asr #14
    ssat sum2, #8, sum2, asr #14
    ssat sum3, #8, sum3, asr #14
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    vmov temp, zero_point
    ssub16 sum0, sum0, temp
    ssub16 sum2, sum2, temp
    str.w sum0, [o_at, #32]
    str.w sum2, [o_at, #36]
    ldrsh.w sum0, [a_at, #40]
    ldrsh.w sum1, [a_at, #42]
    ldrsh.w sum2, [a_at, #44]
    ldrsh.w sum3, [a_at, #46]
    ldr.w b_pair0, [b_at, #40]
    ldr.w b_pair1, [b_at, #44]
    ldr.w sum0, [t, sum0, lsl #2]
    ldr.w sum1, [t, sum1, lsl #2]
    ldr.w sum2, [t, sum2, lsl #2]
    ldr.w sum3, [t, sum3, lsl #2]
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    ssat sum0, #8, sum0, asr #14
    ssat sum1, #8, sum1, asr #14
    ssat sum2, #8, sum2, asr #14
    ssat sum3, #8, sum3, asr #14
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    vmov temp, zero_point
    ssub16 sum0, sum0, temp
    ssub16 sum2, sum2, temp
    str.w sum0, [o_at, #40]
    str.w sum2, [o_at, #44]
    ldrsh.w sum0, [a_at, #48]
    ldrsh.w sum1, [a_at, #50]
    ldrsh.w sum2, [a_at, #52]
    ldrsh.w sum3, [a_at, #54]
    ldr.w b_pair0, [b_at, #48]
    ldr.w b_pair1, [b_at, #52]
    ldr.w sum0, [t, sum0, lsl #2]
    ldr.w sum1, [t, sum1, lsl #2]
    ldr.w sum2, [t, sum2, lsl #2]
    ldr.w sum3, [t, sum3, lsl #2]
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    ssat sum0, #8, sum0, asr #14
    ssat sum1, #8, sum1, asr #14
    ssat sum2, #8, sum2, asr #14
    ssat sum3, #8, sum3, asr #14
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    vmov temp, zero_point
    ssub16 sum0, sum0, temp
    ssub16 sum2, sum2, temp
    str.w sum0, [o_at, #48]
    str.w sum2, [o_at, #52]
    ldrsh.w sum0, [a_at, #56]
    ldrsh.w sum1, [a_at, #58]
    ldrsh.w sum2, [a_at, #60]
    ldrsh.w sum3, [a_at, #62]
    ldr.w b_pair0, [b_at, #56]
    ldr.w b_pair1, [b_at, #60]
    ldr.w sum0, [t, sum0, lsl #2]
    ldr.w sum1, [t, sum1, lsl #2]
    ldr.w sum2, [t, sum2, lsl #2]
    ldr.w sum3, [t, sum3, lsl #2]
    smlawb sum0, factor_b, b_pair0, sum0
    smlawt sum1, factor_b, b_pair0, sum1
    smlawb sum2, factor_b, b_pair1, sum2
    smlawt sum3, factor_b, b_pair1, sum3
    ssat sum0, #8, sum0, asr #14
    ssat sum1, #8, sum1, asr #14
    ssat sum2, #8, sum2, asr #14
    ssat sum3, #8, sum3, asr #14
    pkhbt sum0, sum0, sum1, lsl #16
    pkhbt sum2, sum2, sum3, lsl #16
    vmov temp, zero_point
    ssub16 sum0, sum0, temp
    ssub16 sum2, sum2, temp
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
    .unreq t
    .unreq temp
    .unreq b_pair0
    .unreq b_pair1
    .unreq sum0
    .unreq sum1
    .unreq sum2
    .unreq sum3
    .unreq factor_b
    .unreq iterations_end
    .unreq zero_point
    .size cm4t_add_61c9860e, . - cm4t_add_61c9860e
    .popsection

@ void cm4t_table_42f75b71(int32_t *to, const int32_t *from);
@ 28 bytes, the largest loop 16
    .syntax unified
    .thumb
    .pushsection .text.cm4t_table_42f75b71,"ax",%progbits
    .balign 32
    .global cm4t_table_42f75b71
    .type cm4t_table_42f75b71, %function
    .thumb_func
cm4t_table_42f75b71:
to                   .req r0   @ argument: the copy in SRAM
from                 .req r1   @ argument: the table in flash
word0                .req r4   @ a word of the table
word7                .req r11  @ a word of the table
end                  .req lr   @ end of the copy
    push {r4-r11, lr}
    add.w end, to, #1024
1:
    ldmia from!, {word0-word7}
    stmia to!, {word0-word7}
    cmp.w to, end
    bne.w 1b
    pop {r4-r11, pc}
    .unreq to
    .unreq from
    .unreq word0
    .unreq word7
    .unreq end
    .size cm4t_table_42f75b71, . - cm4t_table_42f75b71
    .popsection
