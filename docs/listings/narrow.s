@ narrow
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ int16 values 4x4x8 to the int8 output

@ void cm4t_narrow_cc5617cc(const int16_t *x, int8_t *o);
@ 152 bytes, the largest loop 132
    .syntax unified
    .thumb
    .pushsection .text.cm4t_narrow_cc5617cc,"ax",%progbits
    .balign 32
    .global cm4t_narrow_cc5617cc
    .type cm4t_narrow_cc5617cc, %function
    .thumb_func
cm4t_narrow_cc5617cc:
x                    .req r0   @ argument: the next values
o                    .req r1   @ argument: the next results
zero_point           .req r3   @ of the output, in all four bytes
pair0                .req r4   @ two values
pair1                .req r5   @ two values
pair2                .req r6   @ two values
pair3                .req r7   @ two values
low                  .req r10  @ even values, at last the result
high                 .req r11  @ odd values
end                  .req lr   @ end of the input
    push {r4-r11, lr}
    movw zero_point, #65021
    movt zero_point, #65021
    add.w end, x, #256
1:
    ldm.w x!, {pair0, pair1, pair2, pair3}
    pkhbt low, pair0, pair1, lsl #16
    pkhtb high, pair1, pair0, asr #16
    uxtb16 low, low
    uxtb16 high, high
    orr.w low, low, high, lsl #8
    uadd8 low, low, zero_point
    str.w low, [o, #0]
    pkhbt low, pair2, pair3, lsl #16
    pkhtb high, pair3, pair2, asr #16
    uxtb16 low, low
    uxtb16 high, high
    orr.w low, low, high, lsl #8
    uadd8 low, low, zero_point
    str.w low, [o, #4]
    ldm.w x!, {pair0, pair1, pair2, pair3}
    pkhbt low, pair0, pair1, lsl #16
    pkhtb high, pair1, pair0, asr #16
    uxtb16 low, low
    uxtb16 high, high
    orr.w low, low, high, lsl #8
    uadd8 low, low, zero_point
    str.w low, [o, #8]
    pkhbt low, pair2, pair3, lsl #16
    pkhtb high, pair3, pair2, asr #16
    uxtb16 low, low
    uxtb16 high, high
    orr.w low, low, high, lsl #8
    uadd8 low, low, zero_point
    str.w low, [o, #12]
    add.w o, o, #16
    cmp.w x, end
    bne.w 1b
    pop {r4-r11, pc}
    .unreq x
    .unreq o
    .unreq zero_point
    .unreq pair0
    .unreq pair1
    .unreq pair2
    .unreq pair3
    .unreq low
    .unreq high
    .unreq end
    .size cm4t_narrow_cc5617cc, . - cm4t_narrow_cc5617cc
    .popsection
