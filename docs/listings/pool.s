@ pool
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ AVERAGE_POOL_2D 4x4, input 4x4x8; candidate: pool

@ void cm4t_pool_6b301cc7(const int16_t *x, int16_t *o);
@ 512 bytes, the largest loop 268
    .syntax unified
    .thumb
    .pushsection .text.cm4t_pool_6b301cc7,"ax",%progbits
    .balign 32
    .global cm4t_pool_6b301cc7
    .type cm4t_pool_6b301cc7, %function
    .thumb_func
cm4t_pool_6b301cc7:
x                    .req r0   @ argument: the window's first pixel, channels of this pass
o                    .req r1   @ argument: the results of this pass
at                   .req r2   @ where the window is read
row_end              .req r3   @ end of the window's row
value0               .req r4   @ two channels of a pixel
value1               .req r5   @ two channels of a pixel
value2               .req r6   @ two channels of a pixel
value3               .req r7   @ two channels of a pixel
sum0                 .req r8   @ two channels' sums, as unsigned halves
sum1                 .req r9   @ two channels' sums, as unsigned halves
sum2                 .req r10  @ two channels' sums, as unsigned halves
sum3                 .req r11  @ two channels' sums, as unsigned halves
temp                 .req r4   @ constants and ends on their way to the FPU registers and back
low                  .req r4   @ sum, quotient of the lower channel; at last both
high                 .req r5   @ sum, quotient of the upper channel
scratch              .req r6   @ sign of a sum; low word of a product
back                 .req r7   @ what lies between a quotient and the stored value, twice
reciprocal           .req r12  @ 2**32 over the number of values, rounded up
tie                  .req lr   @ the least positive sum, even numbers of values only
start                .req s1   @ where sums start, twice
back_kept            .req s3   @ see back
    push {r4-r11, lr}
    movw temp, #8
    movt temp, #8
    vmov start, temp
    movw temp, #0
    vmov back_kept, temp
    movw reciprocal, #0
    movt reciprocal, #4096
    movw tie, #2057
    vmov sum0, start
    vmov sum1, start
    vmov sum2, start
    vmov sum3, start
    mov.w at, x
    add.w row_end, at, #256
3:
    ldr.w value0, [at, #0]
    ldr.w value1, [at, #4]
    ldr.w value2, [at, #8]
    ldr.w value3, [at, #12]
    sadd16 sum0, sum0, value0
    sadd16 sum1, sum1, value1
    sadd16 sum2, sum2, value2
    sadd16 sum3, sum3, value3
    ldr.w value0, [at, #16]
    ldr.w value1, [at, #20]
    ldr.w value2, [at, #24]
    ldr.w value3, [at, #28]
    sadd16 sum0, sum0, value0
    sadd16 sum1, sum1, value1
    sadd16 sum2, sum2, value2
    sadd16 sum3, sum3, value3
    ldr.w value0, [at, #32]
    ldr.w value1, [at, #36]
    ldr.w value2, [at, #40]
    ldr.w value3, [at, #44]
    sadd16 sum0, sum0, value0
    sadd16 sum1, sum1, value1
    sadd16 sum2, sum2, value2
    sadd16 sum3, sum3, value3
    ldr.w value0, [at, #48]
    ldr.w value1, [at, #52]
    ldr.w value2, [at, #56]
    ldr.w value3, [at, #60]
    sadd16 sum0, sum0, value0
    sadd16 sum1, sum1, value1
    sadd16 sum2, sum2, value2
    sadd16 sum3, sum3, value3
    ldr.w value0, [at, #64]
    ldr.w value1, [at, #68]
    ldr.w value2, [at, #72]
    ldr.w value3, [at, #76]
    sadd16 sum0, sum0, value0
    sadd16 sum1, sum1, value1
    sadd16 sum2, sum2, value2
    sadd16 sum3, sum3, value3
    ldr.w value0, [at, #80]
    ldr.w value1, [at, #84]
    ldr.w value2, [at, #88]
    ldr.w value3, [at, #92]
    sadd16 sum0, sum0, value0
    sadd16 sum1, sum1, value1
    sadd16 sum2, sum2, value2
    sadd16 sum3, sum3, value3
    ldr.w value0, [at, #96]
    ldr.w value1, [at, #100]
    ldr.w value2, [at, #104]
    ldr.w value3, [at, #108]
    sadd16 sum0, sum0, value0
    sadd16 sum1, sum1, value1
    sadd16 sum2, sum2, value2
    sadd16 sum3, sum3, value3
    ldr.w value0, [at, #112]
    ldr.w value1, [at, #116]
    ldr.w value2, [at, #120]
    ldr.w value3, [at, #124]
    sadd16 sum0, sum0, value0
    sadd16 sum1, sum1, value1
    sadd16 sum2, sum2, value2
    sadd16 sum3, sum3, value3
    add.w at, at, #128
    cmp.w at, row_end
    bne.w 3b
    vmov back, back_kept
    uxth.w low, sum0
    lsr.w high, sum0, #16
    sub.w scratch, low, tie
    add.w low, low, scratch, asr #31
    umull scratch, low, low, reciprocal
    sub.w scratch, high, tie
    add.w high, high, scratch, asr #31
    umull scratch, high, high, reciprocal
    pkhbt low, low, high, lsl #16
    ssub16 low, low, back
    str.w low, [o, #0]
    uxth.w low, sum1
    lsr.w high, sum1, #16
    sub.w scratch, low, tie
    add.w low, low, scratch, asr #31
    umull scratch, low, low, reciprocal
    sub.w scratch, high, tie
    add.w high, high, scratch, asr #31
    umull scratch, high, high, reciprocal
    pkhbt low, low, high, lsl #16
    ssub16 low, low, back
    str.w low, [o, #4]
    uxth.w low, sum2
    lsr.w high, sum2, #16
    sub.w scratch, low, tie
    add.w low, low, scratch, asr #31
    umull scratch, low, low, reciprocal
    sub.w scratch, high, tie
    add.w high, high, scratch, asr #31
    umull scratch, high, high, reciprocal
    pkhbt low, low, high, lsl #16
    ssub16 low, low, back
    str.w low, [o, #8]
    uxth.w low, sum3
    lsr.w high, sum3, #16
    sub.w scratch, low, tie
    add.w low, low, scratch, asr #31
    umull scratch, low, low, reciprocal
    sub.w scratch, high, tie
    add.w high, high, scratch, asr #31
    umull scratch, high, high, reciprocal
    pkhbt low, low, high, lsl #16
    ssub16 low, low, back
    str.w low, [o, #12]
    pop {r4-r11, pc}
    .unreq x
    .unreq o
    .unreq at
    .unreq row_end
    .unreq value0
    .unreq value1
    .unreq value2
    .unreq value3
    .unreq sum0
    .unreq sum1
    .unreq sum2
    .unreq sum3
    .unreq temp
    .unreq low
    .unreq high
    .unreq scratch
    .unreq back
    .unreq reciprocal
    .unreq tie
    .unreq start
    .unreq back_kept
    .size cm4t_pool_6b301cc7, . - cm4t_pool_6b301cc7
    .popsection
