@ depthwise pixels
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ DEPTHWISE_CONV_2D 3x3, input 4x4x4 in NHWC, no activation; candidate: depthwise pixels 4 ram

@ void cm4t_depthwise_fcd40ac1(const int16_t *x, const int32_t *w, int16_t *o);
@ 808 bytes, the largest loop 788
    .syntax unified
    .thumb
    .pushsection .text.cm4t_depthwise_fcd40ac1,"ax",%progbits
    .balign 32
    .global cm4t_depthwise_fcd40ac1
    .type cm4t_depthwise_fcd40ac1, %function
    .thumb_func
cm4t_depthwise_fcd40ac1:
x                    .req r0   @ argument: the tile's first pixel
w                    .req r1   @ argument: parameters and weights of the pair of channels
o                    .req r2   @ argument: the first result
place                .req r2   @ the tile's first result
end                  .req r2   @ end of a loop
taps                 .req r2   @ both channels' weights of a tap
value0               .req r3   @ both channels of a pixel
value1               .req r12  @ both channels of a pixel
value2               .req lr   @ both channels of a pixel
mantissa             .req r2   @ of a channel
rounding             .req r3   @ of a channel
shift                .req r2   @ of a channel
scaled               .req r12  @ a scaled sum, linear form
sum0_even            .req r4   @ an output of the tile, one channel
sum0_odd             .req r5   @ an output of the tile, one channel
sum1_even            .req r6   @ an output of the tile, one channel
sum1_odd             .req r7   @ an output of the tile, one channel
sum2_even            .req r8   @ an output of the tile, one channel
sum2_odd             .req r9   @ an output of the tile, one channel
sum3_even            .req r10  @ an output of the tile, one channel
sum3_odd             .req r11  @ an output of the tile, one channel
bias_even            .req s0   @ of a channel
bias_odd             .req s1   @ of a channel
mantissa_even        .req s2   @ of a channel
mantissa_odd         .req s3   @ of a channel
rounding_even        .req s4   @ of a channel
rounding_odd         .req s5   @ of a channel
shift_even           .req s6   @ of a channel
shift_odd            .req s7   @ of a channel
place_kept           .req s8   @ see place
rows_end             .req s10  @ end in x of the rows
pairs_end            .req s11  @ end in x of the pairs of channels
    push {r4-r11, lr}
    vmov place_kept, o
    add.w end, x, #8
    vmov pairs_end, end
9:
    vldmia w!, {bias_even-shift_odd}
    add.w end, x, #192
    vmov rows_end, end
8:
    vmov sum0_even, bias_even
    vmov sum0_odd, bias_odd
    vmov sum1_even, bias_even
    vmov sum1_odd, bias_odd
    vmov sum2_even, bias_even
    vmov sum2_odd, bias_odd
    vmov sum3_even, bias_even
    vmov sum3_odd, bias_odd
    ldr.w taps, [w, #0]
    ldr.w value0, [x, #0]
    ldr.w value1, [x, #8]
    ldr.w value2, [x, #16]
    smlabb sum0_even, value0, taps, sum0_even
    smlatt sum0_odd, value0, taps, sum0_odd
    smlabb sum1_even, value1, taps, sum1_even
    smlatt sum1_odd, value1, taps, sum1_odd
    smlabb sum2_even, value2, taps, sum2_even
    smlatt sum2_odd, value2, taps, sum2_odd
    ldr.w value0, [x, #24]
    smlabb sum3_even, value0, taps, sum3_even
    smlatt sum3_odd, value0, taps, sum3_odd
    ldr.w taps, [w, #4]
    ldr.w value0, [x, #8]
    ldr.w value1, [x, #16]
    ldr.w value2, [x, #24]
    smlabb sum0_even, value0, taps, sum0_even
    smlatt sum0_odd, value0, taps, sum0_odd
    smlabb sum1_even, value1, taps, sum1_even
    smlatt sum1_odd, value1, taps, sum1_odd
    smlabb sum2_even, value2, taps, sum2_even
    smlatt sum2_odd, value2, taps, sum2_odd
    ldr.w value0, [x, #32]
    smlabb sum3_even, value0, taps, sum3_even
    smlatt sum3_odd, value0, taps, sum3_odd
    ldr.w taps, [w, #8]
    ldr.w value0, [x, #16]
    ldr.w value1, [x, #24]
    ldr.w value2, [x, #32]
    smlabb sum0_even, value0, taps, sum0_even
    smlatt sum0_odd, value0, taps, sum0_odd
    smlabb sum1_even, value1, taps, sum1_even
    smlatt sum1_odd, value1, taps, sum1_odd
    smlabb sum2_even, value2, taps, sum2_even
    smlatt sum2_odd, value2, taps, sum2_odd
    ldr.w value0, [x, #40]
    smlabb sum3_even, value0, taps, sum3_even
    smlatt sum3_odd, value0, taps, sum3_odd
    ldr.w taps, [w, #12]
    ldr.w value0, [x, #48]
    ldr.w value1, [x, #56]
    ldr.w value2, [x, #64]
    smlabb sum0_even, value0, taps, sum0_even
    smlatt sum0_odd, value0, taps, sum0_odd
    smlabb sum1_even, value1, taps, sum1_even
    smlatt sum1_odd, value1, taps, sum1_odd
    smlabb sum2_even, value2, taps, sum2_even
    smlatt sum2_odd, value2, taps, sum2_odd
    ldr.w value0, [x, #72]
    smlabb sum3_even, value0, taps, sum3_even
    smlatt sum3_odd, value0, taps, sum3_odd
    ldr.w taps, [w, #16]
    ldr.w value0, [x, #56]
    ldr.w value1, [x, #64]
    ldr.w value2, [x, #72]
    smlabb sum0_even, value0, taps, sum0_even
    smlatt sum0_odd, value0, taps, sum0_odd
    smlabb sum1_even, value1, taps, sum1_even
    smlatt sum1_odd, value1, taps, sum1_odd
    smlabb sum2_even, value2, taps, sum2_even
    smlatt sum2_odd, value2, taps, sum2_odd
    ldr.w value0, [x, #80]
    smlabb sum3_even, value0, taps, sum3_even
    smlatt sum3_odd, value0, taps, sum3_odd
    ldr.w taps, [w, #20]
    ldr.w value0, [x, #64]
    ldr.w value1, [x, #72]
    ldr.w value2, [x, #80]
    smlabb sum0_even, value0, taps, sum0_even
    smlatt sum0_odd, value0, taps, sum0_odd
    smlabb sum1_even, value1, taps, sum1_even
    smlatt sum1_odd, value1, taps, sum1_odd
    smlabb sum2_even, value2, taps, sum2_even
    smlatt sum2_odd, value2, taps, sum2_odd
    ldr.w value0, [x, #88]
    smlabb sum3_even, value0, taps, sum3_even
    smlatt sum3_odd, value0, taps, sum3_odd
    ldr.w taps, [w, #24]
    ldr.w value0, [x, #96]
    ldr.w value1, [x, #104]
    ldr.w value2, [x, #112]
    smlabb sum0_even, value0, taps, sum0_even
    smlatt sum0_odd, value0, taps, sum0_odd
    smlabb sum1_even, value1, taps, sum1_even
    smlatt sum1_odd, value1, taps, sum1_odd
    smlabb sum2_even, value2, taps, sum2_even
    smlatt sum2_odd, value2, taps, sum2_odd
    ldr.w value0, [x, #120]
    smlabb sum3_even, value0, taps, sum3_even
    smlatt sum3_odd, value0, taps, sum3_odd
    ldr.w taps, [w, #28]
    ldr.w value0, [x, #104]
    ldr.w value1, [x, #112]
    ldr.w value2, [x, #120]
    smlabb sum0_even, value0, taps, sum0_even
    smlatt sum0_odd, value0, taps, sum0_odd
    smlabb sum1_even, value1, taps, sum1_even
    smlatt sum1_odd, value1, taps, sum1_odd
    smlabb sum2_even, value2, taps, sum2_even
    smlatt sum2_odd, value2, taps, sum2_odd
    ldr.w value0, [x, #128]
    smlabb sum3_even, value0, taps, sum3_even
    smlatt sum3_odd, value0, taps, sum3_odd
    ldr.w taps, [w, #32]
    ldr.w value0, [x, #112]
    ldr.w value1, [x, #120]
    ldr.w value2, [x, #128]
    smlabb sum0_even, value0, taps, sum0_even
    smlatt sum0_odd, value0, taps, sum0_odd
    smlabb sum1_even, value1, taps, sum1_even
    smlatt sum1_odd, value1, taps, sum1_odd
    smlabb sum2_even, value2, taps, sum2_even
    smlatt sum2_odd, value2, taps, sum2_odd
    ldr.w value0, [x, #136]
    smlabb sum3_even, value0, taps, sum3_even
    smlatt sum3_odd, value0, taps, sum3_odd
    vmov mantissa, mantissa_even
    vmov rounding, rounding_even
    smmlar scaled, sum0_even, mantissa, rounding
    add.w sum0_even, scaled, sum0_even, asr #31
    smmlar scaled, sum1_even, mantissa, rounding
    add.w sum1_even, scaled, sum1_even, asr #31
    smmlar scaled, sum2_even, mantissa, rounding
    add.w sum2_even, scaled, sum2_even, asr #31
    smmlar scaled, sum3_even, mantissa, rounding
    add.w sum3_even, scaled, sum3_even, asr #31
    vmov shift, shift_even
    asr.w sum0_even, sum0_even, shift
    asr.w sum1_even, sum1_even, shift
    asr.w sum2_even, sum2_even, shift
    asr.w sum3_even, sum3_even, shift
    ssat sum0_even, #8, sum0_even
    ssat sum1_even, #8, sum1_even
    ssat sum2_even, #8, sum2_even
    ssat sum3_even, #8, sum3_even
    sub.w sum0_even, sum0_even, #5
    sub.w sum1_even, sum1_even, #5
    sub.w sum2_even, sum2_even, #5
    sub.w sum3_even, sum3_even, #5
    vmov mantissa, mantissa_odd
    vmov rounding, rounding_odd
    smmlar scaled, sum0_odd, mantissa, rounding
    add.w sum0_odd, scaled, sum0_odd, asr #31
    smmlar scaled, sum1_odd, mantissa, rounding
    add.w sum1_odd, scaled, sum1_odd, asr #31
    smmlar scaled, sum2_odd, mantissa, rounding
    add.w sum2_odd, scaled, sum2_odd, asr #31
    smmlar scaled, sum3_odd, mantissa, rounding
    add.w sum3_odd, scaled, sum3_odd, asr #31
    vmov shift, shift_odd
    asr.w sum0_odd, sum0_odd, shift
    asr.w sum1_odd, sum1_odd, shift
    asr.w sum2_odd, sum2_odd, shift
    asr.w sum3_odd, sum3_odd, shift
    ssat sum0_odd, #8, sum0_odd
    ssat sum1_odd, #8, sum1_odd
    ssat sum2_odd, #8, sum2_odd
    ssat sum3_odd, #8, sum3_odd
    sub.w sum0_odd, sum0_odd, #5
    sub.w sum1_odd, sum1_odd, #5
    sub.w sum2_odd, sum2_odd, #5
    sub.w sum3_odd, sum3_odd, #5
    vmov place, place_kept
    pkhbt sum0_even, sum0_even, sum0_odd, lsl #16
    str.w sum0_even, [place, #0]
    pkhbt sum1_even, sum1_even, sum1_odd, lsl #16
    str.w sum1_even, [place, #8]
    pkhbt sum2_even, sum2_even, sum2_odd, lsl #16
    str.w sum2_even, [place, #16]
    pkhbt sum3_even, sum3_even, sum3_odd, lsl #16
    str.w sum3_even, [place, #24]
    add.w place, place, #32
    vmov place_kept, place
    add.w x, x, #48
    vmov end, rows_end
    cmp.w x, end
    bne.w 8b
    sub.w x, x, #188
    add.w w, w, #36
    vmov place, place_kept
    sub.w place, place, #124
    vmov place_kept, place
    vmov end, pairs_end
    cmp.w x, end
    bne.w 9b
    pop {r4-r11, pc}
    .unreq x
    .unreq w
    .unreq o
    .unreq place
    .unreq end
    .unreq taps
    .unreq value0
    .unreq value1
    .unreq value2
    .unreq mantissa
    .unreq rounding
    .unreq shift
    .unreq scaled
    .unreq sum0_even
    .unreq sum0_odd
    .unreq sum1_even
    .unreq sum1_odd
    .unreq sum2_even
    .unreq sum2_odd
    .unreq sum3_even
    .unreq sum3_odd
    .unreq bias_even
    .unreq bias_odd
    .unreq mantissa_even
    .unreq mantissa_odd
    .unreq rounding_even
    .unreq rounding_odd
    .unreq shift_even
    .unreq shift_odd
    .unreq place_kept
    .unreq rows_end
    .unreq pairs_end
    .size cm4t_depthwise_fcd40ac1, . - cm4t_depthwise_fcd40ac1
    .popsection
