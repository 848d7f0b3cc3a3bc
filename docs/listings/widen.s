@ widen
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ int8 input 4x4x8 with a border

@ void cm4t_widen_fda3d991(const int8_t *x, int16_t *o);
@ 236 bytes, the largest loop 216
    .syntax unified
    .thumb
    .pushsection .text.cm4t_widen_fda3d991,"ax",%progbits
    .balign 32
    .global cm4t_widen_fda3d991
    .type cm4t_widen_fda3d991, %function
    .thumb_func
cm4t_widen_fda3d991:
x                    .req r0   @ argument: the next values
o                    .req r1   @ argument: the next results
rows                 .req r2   @ rows left
minus_zero           .req r3   @ minus the input's zero point, in both halves
quad0                .req r4   @ four values; later two results
quad1                .req r5   @ four values; later two results
quad2                .req r6   @ four values; later two results
quad3                .req r7   @ four values; later two results
even                 .req r10  @ even values of a word, without zero point
odd                  .req r11  @ odd values of a word; later two results
    push {r4-r11, lr}
    movw minus_zero, #3
    movt minus_zero, #3
    movw rows, #4
1:
    ldm.w x!, {quad0, quad1, quad2, quad3}
    sxtab16 even, minus_zero, quad0
    sxtab16 odd, minus_zero, quad0, ror #8
    pkhbt quad0, even, odd, lsl #16
    pkhtb odd, odd, even, asr #16
    str.w quad0, [o, #0]
    str.w odd, [o, #4]
    sxtab16 even, minus_zero, quad1
    sxtab16 odd, minus_zero, quad1, ror #8
    pkhbt quad1, even, odd, lsl #16
    pkhtb odd, odd, even, asr #16
    str.w quad1, [o, #8]
    str.w odd, [o, #12]
    sxtab16 even, minus_zero, quad2
    sxtab16 odd, minus_zero, quad2, ror #8
    pkhbt quad2, even, odd, lsl #16
    pkhtb odd, odd, even, asr #16
    str.w quad2, [o, #16]
    str.w odd, [o, #20]
    sxtab16 even, minus_zero, quad3
    sxtab16 odd, minus_zero, quad3, ror #8
    pkhbt quad3, even, odd, lsl #16
    pkhtb odd, odd, even, asr #16
    str.w quad3, [o, #24]
    str.w odd, [o, #28]
    ldm.w x!, {quad0, quad1, quad2, quad3}
    sxtab16 even, minus_zero, quad0
    sxtab16 odd, minus_zero, quad0, ror #8
    pkhbt quad0, even, odd, lsl #16
    pkhtb odd, odd, even, asr #16
    str.w quad0, [o, #32]
    str.w odd, [o, #36]
    sxtab16 even, minus_zero, quad1
    sxtab16 odd, minus_zero, quad1, ror #8
    pkhbt quad1, even, odd, lsl #16
    pkhtb odd, odd, even, asr #16
    str.w quad1, [o, #40]
    str.w odd, [o, #44]
    sxtab16 even, minus_zero, quad2
    sxtab16 odd, minus_zero, quad2, ror #8
    pkhbt quad2, even, odd, lsl #16
    pkhtb odd, odd, even, asr #16
    str.w quad2, [o, #48]
    str.w odd, [o, #52]
    sxtab16 even, minus_zero, quad3
    sxtab16 odd, minus_zero, quad3, ror #8
    pkhbt quad3, even, odd, lsl #16
    pkhtb odd, odd, even, asr #16
    str.w quad3, [o, #56]
    str.w odd, [o, #60]
    add.w o, o, #64
    add.w o, o, #32
    subs.w rows, rows, #1
    bne.w 1b
    pop {r4-r11, pc}
    .unreq x
    .unreq o
    .unreq rows
    .unreq minus_zero
    .unreq quad0
    .unreq quad1
    .unreq quad2
    .unreq quad3
    .unreq even
    .unreq odd
    .size cm4t_widen_fda3d991, . - cm4t_widen_fda3d991
    .popsection

@ -----------------------------------------------------------------------------
@ int8 input 4x4x3 to pixels of four

@ void cm4t_widen_rgb_eb0c06d9(const int8_t *x, int16_t *o);
@ 128 bytes, the largest loop 108
    .syntax unified
    .thumb
    .pushsection .text.cm4t_widen_rgb_eb0c06d9,"ax",%progbits
    .balign 32
    .global cm4t_widen_rgb_eb0c06d9
    .type cm4t_widen_rgb_eb0c06d9, %function
    .thumb_func
cm4t_widen_rgb_eb0c06d9:
x                    .req r0   @ argument: the next values
o                    .req r1   @ argument: the next results
rows                 .req r2   @ rows left
minus_zero           .req r3   @ minus the input's zero point, in both halves
rgb0                 .req r4   @ bytes r0 g0 b0 r1; later results
rgb1                 .req r5   @ bytes g1 b1 r2 g2
rgb2                 .req r6   @ bytes b2 r3 g3 b3
even0                .req r7   @ even bytes of a word, without zero point; later results
odd0                 .req r8   @ odd bytes of a word; later results
even1                .req r9   @ even bytes of the word in the middle
odd1                 .req r10  @ odd bytes of the word in the middle; later a result
    push {r4-r11, lr}
    movw minus_zero, #3
    movt minus_zero, #3
    movw rows, #4
1:
    ldm.w x!, {rgb0, rgb1, rgb2}
    sxtab16 even0, minus_zero, rgb0
    sxtab16 odd0, minus_zero, rgb0, ror #8
    sxtab16 even1, minus_zero, rgb1
    sxtab16 odd1, minus_zero, rgb1, ror #8
    pkhbt rgb0, even0, odd0, lsl #16
    str.w rgb0, [o, #0]
    lsr.w even0, even0, #16
    str.w even0, [o, #4]
    lsr.w odd0, odd0, #16
    pkhbt odd0, odd0, even1, lsl #16
    str.w odd0, [o, #8]
    uxth.w rgb0, odd1
    str.w rgb0, [o, #12]
    sxtab16 even0, minus_zero, rgb2
    sxtab16 odd0, minus_zero, rgb2, ror #8
    pkhtb odd1, odd1, even1, asr #16
    str.w odd1, [o, #16]
    uxth.w rgb0, even0
    str.w rgb0, [o, #20]
    pkhbt even0, odd0, even0
    str.w even0, [o, #24]
    lsr.w odd0, odd0, #16
    str.w odd0, [o, #28]
    add.w o, o, #48
    subs.w rows, rows, #1
    bne.w 1b
    pop {r4-r11, pc}
    .unreq x
    .unreq o
    .unreq rows
    .unreq minus_zero
    .unreq rgb0
    .unreq rgb1
    .unreq rgb2
    .unreq even0
    .unreq odd0
    .unreq even1
    .unreq odd1
    .size cm4t_widen_rgb_eb0c06d9, . - cm4t_widen_rgb_eb0c06d9
    .popsection
