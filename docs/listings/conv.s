@ conv
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ CONV_2D 1x1, input 4x4x8, 4 channels, ReLU, different shifts; candidate: conv 1x2x4 ram

@ void cm4t_mac_2x4_f1a5a800(const int16_t *x, const int32_t *w, const int32_t *p, int16_t *o);
@ 428 bytes, the largest loop 396
    .syntax unified
    .thumb
    .pushsection .text.cm4t_mac_2x4_f1a5a800,"ax",%progbits
    .balign 32
    .global cm4t_mac_2x4_f1a5a800
    .type cm4t_mac_2x4_f1a5a800, %function
    .thumb_func
cm4t_mac_2x4_f1a5a800:
x                    .req r0   @ argument: the tile's first pixel
w                    .req r1   @ argument: the weights
p                    .req r2   @ argument: the next block's parameters
o                    .req r3   @ argument: the first result
output               .req r2   @ the tile's first result
bound                .req r3   @ end of a loop over tiles or blocks
mantissa             .req r3   @ of a channel
rounding             .req r12  @ of a channel
p0c0                 .req r4   @ sum of pixel p and channel c
p0c1                 .req r5   @ sum of pixel p and channel c
p0c2                 .req r6   @ sum of pixel p and channel c
p0c3                 .req r7   @ sum of pixel p and channel c
p1c0                 .req r8   @ sum of pixel p and channel c
p1c1                 .req r9   @ sum of pixel p and channel c
p1c2                 .req r10  @ sum of pixel p and channel c
p1c3                 .req r11  @ sum of pixel p and channel c
t0                   .req r2   @ a pair of inputs or of weights
t1                   .req r3   @ a pair of inputs or of weights
t2                   .req r12  @ a pair of inputs or of weights
t3                   .req lr   @ a pair of inputs or of weights
bias_c0              .req s0   @ bias of a channel
bias_c1              .req s1   @ bias of a channel
bias_c2              .req s2   @ bias of a channel
bias_c3              .req s3   @ bias of a channel
mantissa_c0          .req s4   @ mantissa of a channel
mantissa_c1          .req s5   @ mantissa of a channel
mantissa_c2          .req s6   @ mantissa of a channel
mantissa_c3          .req s7   @ mantissa of a channel
rounding_c0          .req s8   @ rounding of a channel
rounding_c1          .req s9   @ rounding of a channel
rounding_c2          .req s10  @ rounding of a channel
rounding_c3          .req s11  @ rounding of a channel
output_kept          .req s12  @ see output
row_end              .req s15  @ end in x of a row of tiles
    push {r4-r11, lr}
    vpush {s16-s18}
    vmov output_kept, o
    vldmia p!, {bias_c0-rounding_c3}
    add.w bound, x, #256
    vmov row_end, bound
1:
    vmov p0c0, bias_c0
    vmov p0c1, bias_c1
    vmov p0c2, bias_c2
    vmov p0c3, bias_c3
    ldr.w t0, [x, #16]
    ldr.w t1, [x, #0]
    ldr.w t2, [w, #0]
    ldr.w t3, [w, #4]
    smlad p1c0, t0, t2, p0c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c1, t0, t3, p0c1
    smlad p0c1, t1, t3, p0c1
    ldr.w t2, [w, #8]
    ldr.w t3, [w, #12]
    smlad p1c2, t0, t2, p0c2
    smlad p0c2, t1, t2, p0c2
    smlad p1c3, t0, t3, p0c3
    smlad p0c3, t1, t3, p0c3
    ldr.w t0, [x, #20]
    ldr.w t1, [x, #4]
    ldr.w t2, [w, #16]
    ldr.w t3, [w, #20]
    smlad p1c0, t0, t2, p1c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c1, t0, t3, p1c1
    smlad p0c1, t1, t3, p0c1
    ldr.w t2, [w, #24]
    ldr.w t3, [w, #28]
    smlad p1c2, t0, t2, p1c2
    smlad p0c2, t1, t2, p0c2
    smlad p1c3, t0, t3, p1c3
    smlad p0c3, t1, t3, p0c3
    ldr.w t0, [x, #24]
    ldr.w t1, [x, #8]
    ldr.w t2, [w, #32]
    ldr.w t3, [w, #36]
    smlad p1c0, t0, t2, p1c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c1, t0, t3, p1c1
    smlad p0c1, t1, t3, p0c1
    ldr.w t2, [w, #40]
    ldr.w t3, [w, #44]
    smlad p1c2, t0, t2, p1c2
    smlad p0c2, t1, t2, p0c2
    smlad p1c3, t0, t3, p1c3
    smlad p0c3, t1, t3, p0c3
    ldr.w t0, [x, #28]
    ldr.w t1, [x, #12]
    ldr.w t2, [w, #48]
    ldr.w t3, [w, #52]
    smlad p1c0, t0, t2, p1c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c1, t0, t3, p1c1
    smlad p0c1, t1, t3, p0c1
    ldr.w t2, [w, #56]
    ldr.w t3, [w, #60]
    smlad p1c2, t0, t2, p1c2
    smlad p0c2, t1, t2, p0c2
    smlad p1c3, t0, t3, p1c3
    smlad p0c3, t1, t3, p0c3
    vmov output, output_kept
    vmov mantissa, mantissa_c0
    vmov rounding, rounding_c0
    smmla p0c0, p0c0, mantissa, rounding
    smmla p1c0, p1c0, mantissa, rounding
    usat p0c0, #8, p0c0, asr #10
    usat p1c0, #8, p1c0, asr #10
    strh.w p0c0, [output, #0]
    strh.w p1c0, [output, #8]
    vmov mantissa, mantissa_c1
    vmov rounding, rounding_c1
    smmla p0c1, p0c1, mantissa, rounding
    smmla p1c1, p1c1, mantissa, rounding
    usat p0c1, #8, p0c1, asr #10
    usat p1c1, #8, p1c1, asr #10
    strh.w p0c1, [output, #2]
    strh.w p1c1, [output, #10]
    vmov mantissa, mantissa_c2
    vmov rounding, rounding_c2
    smmla p0c2, p0c2, mantissa, rounding
    smmla p1c2, p1c2, mantissa, rounding
    usat p0c2, #8, p0c2, asr #10
    usat p1c2, #8, p1c2, asr #10
    strh.w p0c2, [output, #4]
    strh.w p1c2, [output, #12]
    vmov mantissa, mantissa_c3
    vmov rounding, rounding_c3
    smmla p0c3, p0c3, mantissa, rounding
    smmla p1c3, p1c3, mantissa, rounding
    usat p0c3, #8, p0c3, asr #10
    usat p1c3, #8, p1c3, asr #10
    strh.w p0c3, [output, #6]
    strh.w p1c3, [output, #14]
    add.w output, output, #16
    vmov output_kept, output
    add.w x, x, #32
    vmov bound, row_end
    cmp.w x, bound
    bne.w 1b
    vpop {s16-s18}
    pop {r4-r11, pc}
    .unreq x
    .unreq w
    .unreq p
    .unreq o
    .unreq output
    .unreq bound
    .unreq mantissa
    .unreq rounding
    .unreq p0c0
    .unreq p0c1
    .unreq p0c2
    .unreq p0c3
    .unreq p1c0
    .unreq p1c1
    .unreq p1c2
    .unreq p1c3
    .unreq t0
    .unreq t1
    .unreq t2
    .unreq t3
    .unreq bias_c0
    .unreq bias_c1
    .unreq bias_c2
    .unreq bias_c3
    .unreq mantissa_c0
    .unreq mantissa_c1
    .unreq mantissa_c2
    .unreq mantissa_c3
    .unreq rounding_c0
    .unreq rounding_c1
    .unreq rounding_c2
    .unreq rounding_c3
    .unreq output_kept
    .unreq row_end
    .size cm4t_mac_2x4_f1a5a800, . - cm4t_mac_2x4_f1a5a800
    .popsection

@ -----------------------------------------------------------------------------
@ CONV_2D 1x1, input 4x4x8, 4 channels, ReLU, different shifts; candidate: conv 1x2x4 merged-staged

@ void cm4t_copy_2ea6db33(const int32_t *from, int32_t *to, int32_t units);
@ 24 bytes, the largest loop 16
    .syntax unified
    .thumb
    .pushsection .text.cm4t_copy_2ea6db33,"ax",%progbits
    .balign 32
    .global cm4t_copy_2ea6db33
    .type cm4t_copy_2ea6db33, %function
    .thumb_func
cm4t_copy_2ea6db33:
from                 .req r0   @ argument: the constant in flash
to                   .req r1   @ argument: the scratch
units                .req r2   @ argument: units left
word0                .req r4   @ a word of a unit
word7                .req r11  @ a word of a unit
    push {r4-r11, lr}
1:
    ldm.w from!, {word0-word7}
    stm.w to!, {word0-word7}
    subs.w units, units, #1
    bne.w 1b
    pop {r4-r11, pc}
    .unreq from
    .unreq to
    .unreq units
    .unreq word0
    .unreq word7
    .size cm4t_copy_2ea6db33, . - cm4t_copy_2ea6db33
    .popsection

@ void cm4t_mac_2x4_43ca456a(const int16_t *x, const int32_t *w, const int32_t *p, int16_t *o);
@ 460 bytes, the largest loop 428
    .syntax unified
    .thumb
    .pushsection .text.cm4t_mac_2x4_43ca456a,"ax",%progbits
    .balign 32
    .global cm4t_mac_2x4_43ca456a
    .type cm4t_mac_2x4_43ca456a, %function
    .thumb_func
cm4t_mac_2x4_43ca456a:
x                    .req r0   @ argument: the tile's first pixel
w                    .req r1   @ argument: the weights
p                    .req r2   @ argument: the next block's parameters
o                    .req r3   @ argument: the first result
output               .req r2   @ the tile's first result
bound                .req r3   @ end of a loop over tiles or blocks
mantissa             .req r3   @ of a channel
rounding             .req r12  @ of a channel
p0c0                 .req r4   @ sum of pixel p and channel c
p0c1                 .req r5   @ sum of pixel p and channel c
p0c2                 .req r6   @ sum of pixel p and channel c
p0c3                 .req r7   @ sum of pixel p and channel c
p1c0                 .req r8   @ sum of pixel p and channel c
p1c1                 .req r9   @ sum of pixel p and channel c
p1c2                 .req r10  @ sum of pixel p and channel c
p1c3                 .req r11  @ sum of pixel p and channel c
t0                   .req r2   @ a pair of inputs or of weights
t1                   .req r3   @ a pair of inputs or of weights
t2                   .req r12  @ a pair of inputs or of weights
t3                   .req lr   @ a pair of inputs or of weights
bias_c0              .req s0   @ bias of a channel
bias_c1              .req s1   @ bias of a channel
bias_c2              .req s2   @ bias of a channel
bias_c3              .req s3   @ bias of a channel
mantissa_c0          .req s4   @ mantissa of a channel
mantissa_c1          .req s5   @ mantissa of a channel
mantissa_c2          .req s6   @ mantissa of a channel
mantissa_c3          .req s7   @ mantissa of a channel
rounding_c0          .req s8   @ rounding of a channel
rounding_c1          .req s9   @ rounding of a channel
rounding_c2          .req s10  @ rounding of a channel
rounding_c3          .req s11  @ rounding of a channel
output_kept          .req s12  @ see output
row_end              .req s15  @ end in x of a row of tiles
    push {r4-r11, lr}
    vpush {s16-s18}
    vmov output_kept, o
    vldmia p!, {bias_c0-rounding_c3}
    add.w bound, x, #256
    vmov row_end, bound
1:
    vmov p0c0, bias_c0
    vmov p0c1, bias_c1
    vmov p0c2, bias_c2
    vmov p0c3, bias_c3
    ldr.w t0, [x, #16]
    ldr.w t1, [x, #0]
    ldr.w t2, [w, #0]
    ldr.w t3, [w, #4]
    smlad p1c0, t0, t2, p0c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c2, t0, t3, p0c2
    smlad p0c2, t1, t3, p0c2
    sxtb16 t2, t2
    sxtb16 t3, t3
    smlad p1c1, t0, t2, p0c1
    smlad p0c1, t1, t2, p0c1
    smlad p1c3, t0, t3, p0c3
    smlad p0c3, t1, t3, p0c3
    ldr.w t0, [x, #20]
    ldr.w t1, [x, #4]
    ldr.w t2, [w, #8]
    ldr.w t3, [w, #12]
    smlad p1c0, t0, t2, p1c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c2, t0, t3, p1c2
    smlad p0c2, t1, t3, p0c2
    sxtb16 t2, t2
    sxtb16 t3, t3
    smlad p1c1, t0, t2, p1c1
    smlad p0c1, t1, t2, p0c1
    smlad p1c3, t0, t3, p1c3
    smlad p0c3, t1, t3, p0c3
    ldr.w t0, [x, #24]
    ldr.w t1, [x, #8]
    ldr.w t2, [w, #16]
    ldr.w t3, [w, #20]
    smlad p1c0, t0, t2, p1c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c2, t0, t3, p1c2
    smlad p0c2, t1, t3, p0c2
    sxtb16 t2, t2
    sxtb16 t3, t3
    smlad p1c1, t0, t2, p1c1
    smlad p0c1, t1, t2, p0c1
    smlad p1c3, t0, t3, p1c3
    smlad p0c3, t1, t3, p0c3
    ldr.w t0, [x, #28]
    ldr.w t1, [x, #12]
    ldr.w t2, [w, #24]
    ldr.w t3, [w, #28]
    smlad p1c0, t0, t2, p1c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c2, t0, t3, p1c2
    smlad p0c2, t1, t3, p0c2
    sxtb16 t2, t2
    sxtb16 t3, t3
    smlad p1c1, t0, t2, p1c1
    smlad p0c1, t1, t2, p0c1
    smlad p1c3, t0, t3, p1c3
    smlad p0c3, t1, t3, p0c3
    vmov output, output_kept
    sub.w p0c0, p0c0, p0c1
    lsl.w p0c1, p0c1, #8
    sub.w p1c0, p1c0, p1c1
    lsl.w p1c1, p1c1, #8
    vmov mantissa, mantissa_c0
    vmov rounding, rounding_c0
    smmla p0c0, p0c0, mantissa, rounding
    smmla p1c0, p1c0, mantissa, rounding
    usat p0c0, #8, p0c0, asr #15
    usat p1c0, #8, p1c0, asr #15
    strh.w p0c0, [output, #0]
    strh.w p1c0, [output, #8]
    vmov mantissa, mantissa_c1
    vmov rounding, rounding_c1
    smmla p0c1, p0c1, mantissa, rounding
    smmla p1c1, p1c1, mantissa, rounding
    usat p0c1, #8, p0c1, asr #15
    usat p1c1, #8, p1c1, asr #15
    strh.w p0c1, [output, #2]
    strh.w p1c1, [output, #10]
    sub.w p0c2, p0c2, p0c3
    lsl.w p0c3, p0c3, #8
    sub.w p1c2, p1c2, p1c3
    lsl.w p1c3, p1c3, #8
    vmov mantissa, mantissa_c2
    vmov rounding, rounding_c2
    smmla p0c2, p0c2, mantissa, rounding
    smmla p1c2, p1c2, mantissa, rounding
    usat p0c2, #8, p0c2, asr #15
    usat p1c2, #8, p1c2, asr #15
    strh.w p0c2, [output, #4]
    strh.w p1c2, [output, #12]
    vmov mantissa, mantissa_c3
    vmov rounding, rounding_c3
    smmla p0c3, p0c3, mantissa, rounding
    smmla p1c3, p1c3, mantissa, rounding
    usat p0c3, #8, p0c3, asr #15
    usat p1c3, #8, p1c3, asr #15
    strh.w p0c3, [output, #6]
    strh.w p1c3, [output, #14]
    add.w output, output, #16
    vmov output_kept, output
    add.w x, x, #32
    vmov bound, row_end
    cmp.w x, bound
    bne.w 1b
    vpop {s16-s18}
    pop {r4-r11, pc}
    .unreq x
    .unreq w
    .unreq p
    .unreq o
    .unreq output
    .unreq bound
    .unreq mantissa
    .unreq rounding
    .unreq p0c0
    .unreq p0c1
    .unreq p0c2
    .unreq p0c3
    .unreq p1c0
    .unreq p1c1
    .unreq p1c2
    .unreq p1c3
    .unreq t0
    .unreq t1
    .unreq t2
    .unreq t3
    .unreq bias_c0
    .unreq bias_c1
    .unreq bias_c2
    .unreq bias_c3
    .unreq mantissa_c0
    .unreq mantissa_c1
    .unreq mantissa_c2
    .unreq mantissa_c3
    .unreq rounding_c0
    .unreq rounding_c1
    .unreq rounding_c2
    .unreq rounding_c3
    .unreq output_kept
    .unreq row_end
    .size cm4t_mac_2x4_43ca456a, . - cm4t_mac_2x4_43ca456a
    .popsection

@ -----------------------------------------------------------------------------
@ CONV_2D 1x1, input 4x4x8, 4 channels, ReLU, different shifts; candidate: conv 1x2x4 expanded

@ void cm4t_expand_d831cf68(const int8_t *from, int32_t *to, int32_t units);
@ 108 bytes, the largest loop 96
    .syntax unified
    .thumb
    .pushsection .text.cm4t_expand_d831cf68,"ax",%progbits
    .balign 32
    .global cm4t_expand_d831cf68
    .type cm4t_expand_d831cf68, %function
    .thumb_func
cm4t_expand_d831cf68:
from                 .req r0   @ argument: the constant in flash
to                   .req r1   @ argument: the scratch
units                .req r2   @ argument: units left
end                  .req r2   @ expand: end of the constant
quad0                .req r3   @ four weights as bytes (a, b, c, d)
quad1                .req r12  @ four weights as bytes (a, b, c, d)
quad2                .req lr   @ four weights as bytes (a, b, c, d)
quad3                .req r11  @ four weights as bytes (a, b, c, d)
pair0                .req r4   @ two doubled weights: of quad n, (a, c) in pair 2 n and (b, d) in the next one
pair1                .req r5   @ two doubled weights: of quad n, (a, c) in pair 2 n and (b, d) in the next one
pair2                .req r6   @ two doubled weights: of quad n, (a, c) in pair 2 n and (b, d) in the next one
pair3                .req r7   @ two doubled weights: of quad n, (a, c) in pair 2 n and (b, d) in the next one
pair4                .req r8   @ two doubled weights: of quad n, (a, c) in pair 2 n and (b, d) in the next one
pair5                .req r9   @ two doubled weights: of quad n, (a, c) in pair 2 n and (b, d) in the next one
pair6                .req r10  @ two doubled weights: of quad n, (a, c) in pair 2 n and (b, d) in the next one
pair7                .req r11  @ two doubled weights: of quad n, (a, c) in pair 2 n and (b, d) in the next one
    push {r4-r11, lr}
    add.w end, from, units, lsl #4
1:
    ldr.w quad0, [from, #0]
    ldr.w quad1, [from, #4]
    ldr.w quad2, [from, #8]
    ldr.w quad3, [from, #12]
    add.w from, from, #16
    sxtb16 pair0, quad0
    sxtb16 pair1, quad0, ror #8
    sxtb16 pair2, quad1
    sxtb16 pair3, quad1, ror #8
    sxtb16 pair4, quad2
    sxtb16 pair5, quad2, ror #8
    sxtb16 pair6, quad3
    sxtb16 pair7, quad3, ror #8
    sadd16 pair0, pair0, pair0
    sadd16 pair1, pair1, pair1
    sadd16 pair2, pair2, pair2
    sadd16 pair3, pair3, pair3
    sadd16 pair4, pair4, pair4
    sadd16 pair5, pair5, pair5
    sadd16 pair6, pair6, pair6
    sadd16 pair7, pair7, pair7
    stm.w to!, {pair0-pair7}
    cmp.w from, end
    bne.w 1b
    pop {r4-r11, pc}
    .unreq from
    .unreq to
    .unreq units
    .unreq end
    .unreq quad0
    .unreq quad1
    .unreq quad2
    .unreq quad3
    .unreq pair0
    .unreq pair1
    .unreq pair2
    .unreq pair3
    .unreq pair4
    .unreq pair5
    .unreq pair6
    .unreq pair7
    .size cm4t_expand_d831cf68, . - cm4t_expand_d831cf68
    .popsection

@ void cm4t_mac_2x4_26bc3564(const int16_t *x, const int32_t *w, const int32_t *p, int16_t *o);
@ 476 bytes, the largest loop 444
    .syntax unified
    .thumb
    .pushsection .text.cm4t_mac_2x4_26bc3564,"ax",%progbits
    .balign 32
    .global cm4t_mac_2x4_26bc3564
    .type cm4t_mac_2x4_26bc3564, %function
    .thumb_func
cm4t_mac_2x4_26bc3564:
x                    .req r0   @ argument: the tile's first pixel
w                    .req r1   @ argument: the weights
p                    .req r2   @ argument: the next block's parameters
o                    .req r3   @ argument: the first result
output               .req r2   @ the tile's first result
bound                .req r3   @ end of a loop over tiles or blocks
mantissa             .req r3   @ of a channel
rounding             .req r12  @ of a channel
shift                .req lr   @ of a channel
p0c0                 .req r4   @ sum of pixel p and channel c
p0c1                 .req r5   @ sum of pixel p and channel c
p0c2                 .req r6   @ sum of pixel p and channel c
p0c3                 .req r7   @ sum of pixel p and channel c
p1c0                 .req r8   @ sum of pixel p and channel c
p1c1                 .req r9   @ sum of pixel p and channel c
p1c2                 .req r10  @ sum of pixel p and channel c
p1c3                 .req r11  @ sum of pixel p and channel c
t0                   .req r2   @ a pair of inputs or of weights
t1                   .req r3   @ a pair of inputs or of weights
t2                   .req r12  @ a pair of inputs or of weights
t3                   .req lr   @ a pair of inputs or of weights
bias_c0              .req s0   @ bias of a channel
bias_c1              .req s1   @ bias of a channel
bias_c2              .req s2   @ bias of a channel
bias_c3              .req s3   @ bias of a channel
mantissa_c0          .req s4   @ mantissa of a channel
mantissa_c1          .req s5   @ mantissa of a channel
mantissa_c2          .req s6   @ mantissa of a channel
mantissa_c3          .req s7   @ mantissa of a channel
rounding_c0          .req s8   @ rounding of a channel
rounding_c1          .req s9   @ rounding of a channel
rounding_c2          .req s10  @ rounding of a channel
rounding_c3          .req s11  @ rounding of a channel
shift_c0             .req s12  @ shift of a channel
shift_c1             .req s13  @ shift of a channel
shift_c2             .req s14  @ shift of a channel
shift_c3             .req s15  @ shift of a channel
output_kept          .req s16  @ see output
row_end              .req s19  @ end in x of a row of tiles
    push {r4-r11, lr}
    vpush {s16-s22}
    vmov output_kept, o
    vldmia p!, {bias_c0-shift_c3}
    add.w bound, x, #256
    vmov row_end, bound
1:
    vmov p0c0, bias_c0
    vmov p0c1, bias_c1
    vmov p0c2, bias_c2
    vmov p0c3, bias_c3
    ldr.w t0, [x, #16]
    ldr.w t1, [x, #0]
    ldr.w t2, [w, #0]
    ldr.w t3, [w, #4]
    smlad p1c0, t0, t2, p0c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c1, t0, t3, p0c1
    smlad p0c1, t1, t3, p0c1
    ldr.w t2, [w, #8]
    ldr.w t3, [w, #12]
    smlad p1c2, t0, t2, p0c2
    smlad p0c2, t1, t2, p0c2
    smlad p1c3, t0, t3, p0c3
    smlad p0c3, t1, t3, p0c3
    ldr.w t0, [x, #20]
    ldr.w t1, [x, #4]
    ldr.w t2, [w, #16]
    ldr.w t3, [w, #20]
    smlad p1c0, t0, t2, p1c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c1, t0, t3, p1c1
    smlad p0c1, t1, t3, p0c1
    ldr.w t2, [w, #24]
    ldr.w t3, [w, #28]
    smlad p1c2, t0, t2, p1c2
    smlad p0c2, t1, t2, p0c2
    smlad p1c3, t0, t3, p1c3
    smlad p0c3, t1, t3, p0c3
    ldr.w t0, [x, #24]
    ldr.w t1, [x, #8]
    ldr.w t2, [w, #32]
    ldr.w t3, [w, #36]
    smlad p1c0, t0, t2, p1c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c1, t0, t3, p1c1
    smlad p0c1, t1, t3, p0c1
    ldr.w t2, [w, #40]
    ldr.w t3, [w, #44]
    smlad p1c2, t0, t2, p1c2
    smlad p0c2, t1, t2, p0c2
    smlad p1c3, t0, t3, p1c3
    smlad p0c3, t1, t3, p0c3
    ldr.w t0, [x, #28]
    ldr.w t1, [x, #12]
    ldr.w t2, [w, #48]
    ldr.w t3, [w, #52]
    smlad p1c0, t0, t2, p1c0
    smlad p0c0, t1, t2, p0c0
    smlad p1c1, t0, t3, p1c1
    smlad p0c1, t1, t3, p0c1
    ldr.w t2, [w, #56]
    ldr.w t3, [w, #60]
    smlad p1c2, t0, t2, p1c2
    smlad p0c2, t1, t2, p0c2
    smlad p1c3, t0, t3, p1c3
    smlad p0c3, t1, t3, p0c3
    vmov output, output_kept
    vmov mantissa, mantissa_c0
    vmov rounding, rounding_c0
    vmov shift, shift_c0
    smmlar p0c0, p0c0, mantissa, rounding
    smmlar p1c0, p1c0, mantissa, rounding
    asr.w p0c0, p0c0, shift
    asr.w p1c0, p1c0, shift
    usat p0c0, #8, p0c0
    usat p1c0, #8, p1c0
    strh.w p0c0, [output, #0]
    strh.w p1c0, [output, #8]
    vmov mantissa, mantissa_c1
    vmov rounding, rounding_c1
    vmov shift, shift_c1
    smmlar p0c1, p0c1, mantissa, rounding
    smmlar p1c1, p1c1, mantissa, rounding
    asr.w p0c1, p0c1, shift
    asr.w p1c1, p1c1, shift
    usat p0c1, #8, p0c1
    usat p1c1, #8, p1c1
    strh.w p0c1, [output, #2]
    strh.w p1c1, [output, #10]
    vmov mantissa, mantissa_c2
    vmov rounding, rounding_c2
    vmov shift, shift_c2
    smmlar p0c2, p0c2, mantissa, rounding
    smmlar p1c2, p1c2, mantissa, rounding
    asr.w p0c2, p0c2, shift
    asr.w p1c2, p1c2, shift
    usat p0c2, #8, p0c2
    usat p1c2, #8, p1c2
    strh.w p0c2, [output, #4]
    strh.w p1c2, [output, #12]
    vmov mantissa, mantissa_c3
    vmov rounding, rounding_c3
    vmov shift, shift_c3
    smmlar p0c3, p0c3, mantissa, rounding
    smmlar p1c3, p1c3, mantissa, rounding
    asr.w p0c3, p0c3, shift
    asr.w p1c3, p1c3, shift
    usat p0c3, #8, p0c3
    usat p1c3, #8, p1c3
    strh.w p0c3, [output, #6]
    strh.w p1c3, [output, #14]
    add.w output, output, #16
    vmov output_kept, output
    add.w x, x, #32
    vmov bound, row_end
    cmp.w x, bound
    bne.w 1b
    vpop {s16-s22}
    pop {r4-r11, pc}
    .unreq x
    .unreq w
    .unreq p
    .unreq o
    .unreq output
    .unreq bound
    .unreq mantissa
    .unreq rounding
    .unreq shift
    .unreq p0c0
    .unreq p0c1
    .unreq p0c2
    .unreq p0c3
    .unreq p1c0
    .unreq p1c1
    .unreq p1c2
    .unreq p1c3
    .unreq t0
    .unreq t1
    .unreq t2
    .unreq t3
    .unreq bias_c0
    .unreq bias_c1
    .unreq bias_c2
    .unreq bias_c3
    .unreq mantissa_c0
    .unreq mantissa_c1
    .unreq mantissa_c2
    .unreq mantissa_c3
    .unreq rounding_c0
    .unreq rounding_c1
    .unreq rounding_c2
    .unreq rounding_c3
    .unreq shift_c0
    .unreq shift_c1
    .unreq shift_c2
    .unreq shift_c3
    .unreq output_kept
    .unreq row_end
    .size cm4t_mac_2x4_26bc3564, . - cm4t_mac_2x4_26bc3564
    .popsection

@ -----------------------------------------------------------------------------
@ CONV_2D 3x3, input 6x6x4, 2 channels, no activation, output NCHW; candidate: conv 2x2x2 ram

@ void cm4t_mac_4x2_a51d7cbe(const int16_t *x, const int32_t *w, const int32_t *p, int16_t *o);
@ 1024 bytes, the largest loop 972
    .syntax unified
    .thumb
    .pushsection .text.cm4t_mac_4x2_a51d7cbe,"ax",%progbits
    .balign 32
    .global cm4t_mac_4x2_a51d7cbe
    .type cm4t_mac_4x2_a51d7cbe, %function
    .thumb_func
cm4t_mac_4x2_a51d7cbe:
x                    .req r0   @ argument: the tile's first pixel
w                    .req r1   @ argument: the weights
p                    .req r2   @ argument: the next block's parameters
o                    .req r3   @ argument: the first result
output               .req r2   @ the tile's first result
end                  .req r2   @ end of the loop over pairs
bound                .req r3   @ end of a loop over tiles or blocks
mantissa             .req r3   @ of a channel
rounding             .req r12  @ of a channel
shift                .req lr   @ of a channel
scaled               .req r1   @ a scaled sum, linear form
p0c0                 .req r4   @ sum of pixel p and channel c
p0c1                 .req r5   @ sum of pixel p and channel c
p1c0                 .req r6   @ sum of pixel p and channel c
p1c1                 .req r7   @ sum of pixel p and channel c
p2c0                 .req r8   @ sum of pixel p and channel c
p2c1                 .req r9   @ sum of pixel p and channel c
p3c0                 .req r10  @ sum of pixel p and channel c
p3c1                 .req r11  @ sum of pixel p and channel c
t0                   .req r2   @ a pair of inputs or of weights
t1                   .req r3   @ a pair of inputs or of weights
t2                   .req r12  @ a pair of inputs or of weights
t3                   .req lr   @ a pair of inputs or of weights
bias_c0              .req s0   @ bias of a channel
bias_c1              .req s1   @ bias of a channel
mantissa_c0          .req s2   @ mantissa of a channel
mantissa_c1          .req s3   @ mantissa of a channel
rounding_c0          .req s4   @ rounding of a channel
rounding_c1          .req s5   @ rounding of a channel
shift_c0             .req s6   @ shift of a channel
shift_c1             .req s7   @ shift of a channel
output_kept          .req s8   @ see output
w_kept               .req s9   @ the block's weights, or after them where they are resident
w_end                .req s10  @ end of the block's weights
row_end              .req s11  @ end in x of a row of tiles
rows_end             .req s12  @ end in x of the region
    push {r4-r11, lr}
    vmov output_kept, o
    sub.w x, x, #64
    sub.w w, w, #4
    vmov w_kept, w
    vldmia p!, {bias_c0-shift_c1}
    add.w bound, x, #48
    vmov row_end, bound
    add.w bound, x, #384
    vmov rows_end, bound
    add.w bound, w, #144
    vmov w_end, bound
1:
    vmov w, w_kept
    vmov p0c0, bias_c0
    vmov p0c1, bias_c1
    ldr.w t0, [w, #4]
    ldr.w t1, [w, #8]
    ldr.w t2, [x, #156]
    ldr.w t3, [x, #148]
    smlad p3c0, t2, t0, p0c0
    smlad p2c0, t3, t0, p0c0
    smlad p3c1, t2, t1, p0c1
    smlad p2c1, t3, t1, p0c1
    ldr.w t2, [x, #92]
    ldr.w t3, [x, #84]
    smlad p1c0, t2, t0, p0c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p0c1
    smlad p0c1, t3, t1, p0c1
    ldr.w t0, [w, #12]
    ldr.w t1, [w, #16]
    ldr.w t2, [x, #152]
    ldr.w t3, [x, #144]
    smlad p3c0, t2, t0, p3c0
    smlad p2c0, t3, t0, p2c0
    smlad p3c1, t2, t1, p3c1
    smlad p2c1, t3, t1, p2c1
    ldr.w t2, [x, #88]
    ldr.w t3, [x, #80]
    smlad p1c0, t2, t0, p1c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p1c1
    smlad p0c1, t3, t1, p0c1
    ldr.w t0, [w, #20]
    ldr.w t1, [w, #24]
    ldr.w t2, [x, #148]
    ldr.w t3, [x, #140]
    smlad p3c0, t2, t0, p3c0
    smlad p2c0, t3, t0, p2c0
    smlad p3c1, t2, t1, p3c1
    smlad p2c1, t3, t1, p2c1
    ldr.w t2, [x, #84]
    ldr.w t3, [x, #76]
    smlad p1c0, t2, t0, p1c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p1c1
    smlad p0c1, t3, t1, p0c1
    ldr.w t0, [w, #28]
    ldr.w t1, [w, #32]
    ldr.w t2, [x, #144]
    ldr.w t3, [x, #136]
    smlad p3c0, t2, t0, p3c0
    smlad p2c0, t3, t0, p2c0
    smlad p3c1, t2, t1, p3c1
    smlad p2c1, t3, t1, p2c1
    ldr.w t2, [x, #80]
    ldr.w t3, [x, #72]
    smlad p1c0, t2, t0, p1c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p1c1
    smlad p0c1, t3, t1, p0c1
    ldr.w t0, [w, #36]
    ldr.w t1, [w, #40]
    ldr.w t2, [x, #140]
    ldr.w t3, [x, #132]
    smlad p3c0, t2, t0, p3c0
    smlad p2c0, t3, t0, p2c0
    smlad p3c1, t2, t1, p3c1
    smlad p2c1, t3, t1, p2c1
    ldr.w t2, [x, #76]
    ldr.w t3, [x, #68]
    smlad p1c0, t2, t0, p1c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p1c1
    smlad p0c1, t3, t1, p0c1
    ldr.w t0, [w, #44]
    ldr.w t1, [w, #48]!
    ldr.w t2, [x, #136]
    ldr.w t3, [x, #128]
    smlad p3c0, t2, t0, p3c0
    smlad p2c0, t3, t0, p2c0
    smlad p3c1, t2, t1, p3c1
    smlad p2c1, t3, t1, p2c1
    ldr.w t2, [x, #72]
    ldr.w t3, [x, #64]!
    smlad p1c0, t2, t0, p1c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p1c1
    smlad p0c1, t3, t1, p0c1
2:
    ldr.w t0, [w, #4]
    ldr.w t1, [w, #8]
    ldr.w t2, [x, #156]
    ldr.w t3, [x, #148]
    smlad p3c0, t2, t0, p3c0
    smlad p2c0, t3, t0, p2c0
    smlad p3c1, t2, t1, p3c1
    smlad p2c1, t3, t1, p2c1
    ldr.w t2, [x, #92]
    ldr.w t3, [x, #84]
    smlad p1c0, t2, t0, p1c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p1c1
    smlad p0c1, t3, t1, p0c1
    ldr.w t0, [w, #12]
    ldr.w t1, [w, #16]
    ldr.w t2, [x, #152]
    ldr.w t3, [x, #144]
    smlad p3c0, t2, t0, p3c0
    smlad p2c0, t3, t0, p2c0
    smlad p3c1, t2, t1, p3c1
    smlad p2c1, t3, t1, p2c1
    ldr.w t2, [x, #88]
    ldr.w t3, [x, #80]
    smlad p1c0, t2, t0, p1c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p1c1
    smlad p0c1, t3, t1, p0c1
    ldr.w t0, [w, #20]
    ldr.w t1, [w, #24]
    ldr.w t2, [x, #148]
    ldr.w t3, [x, #140]
    smlad p3c0, t2, t0, p3c0
    smlad p2c0, t3, t0, p2c0
    smlad p3c1, t2, t1, p3c1
    smlad p2c1, t3, t1, p2c1
    ldr.w t2, [x, #84]
    ldr.w t3, [x, #76]
    smlad p1c0, t2, t0, p1c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p1c1
    smlad p0c1, t3, t1, p0c1
    ldr.w t0, [w, #28]
    ldr.w t1, [w, #32]
    ldr.w t2, [x, #144]
    ldr.w t3, [x, #136]
    smlad p3c0, t2, t0, p3c0
    smlad p2c0, t3, t0, p2c0
    smlad p3c1, t2, t1, p3c1
    smlad p2c1, t3, t1, p2c1
    ldr.w t2, [x, #80]
    ldr.w t3, [x, #72]
    smlad p1c0, t2, t0, p1c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p1c1
    smlad p0c1, t3, t1, p0c1
    ldr.w t0, [w, #36]
    ldr.w t1, [w, #40]
    ldr.w t2, [x, #140]
    ldr.w t3, [x, #132]
    smlad p3c0, t2, t0, p3c0
    smlad p2c0, t3, t0, p2c0
    smlad p3c1, t2, t1, p3c1
    smlad p2c1, t3, t1, p2c1
    ldr.w t2, [x, #76]
    ldr.w t3, [x, #68]
    smlad p1c0, t2, t0, p1c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p1c1
    smlad p0c1, t3, t1, p0c1
    ldr.w t0, [w, #44]
    ldr.w t1, [w, #48]!
    ldr.w t2, [x, #136]
    ldr.w t3, [x, #128]
    smlad p3c0, t2, t0, p3c0
    smlad p2c0, t3, t0, p2c0
    smlad p3c1, t2, t1, p3c1
    smlad p2c1, t3, t1, p2c1
    ldr.w t2, [x, #72]
    ldr.w t3, [x, #64]!
    smlad p1c0, t2, t0, p1c0
    smlad p0c0, t3, t0, p0c0
    smlad p1c1, t2, t1, p1c1
    smlad p0c1, t3, t1, p0c1
    vmov end, w_end
    cmp.w w, end
    bne.w 2b
    vmov output, output_kept
    vmov mantissa, mantissa_c0
    vmov rounding, rounding_c0
    vmov shift, shift_c0
    smmlar scaled, p0c0, mantissa, rounding
    add.w p0c0, scaled, p0c0, asr #31
    smmlar scaled, p1c0, mantissa, rounding
    add.w p1c0, scaled, p1c0, asr #31
    smmlar scaled, p2c0, mantissa, rounding
    add.w p2c0, scaled, p2c0, asr #31
    smmlar scaled, p3c0, mantissa, rounding
    add.w p3c0, scaled, p3c0, asr #31
    asr.w p0c0, p0c0, shift
    asr.w p1c0, p1c0, shift
    asr.w p2c0, p2c0, shift
    asr.w p3c0, p3c0, shift
    ssat p0c0, #8, p0c0
    ssat p1c0, #8, p1c0
    ssat p2c0, #8, p2c0
    ssat p3c0, #8, p3c0
    sub.w p0c0, p0c0, #5
    sub.w p1c0, p1c0, #5
    sub.w p2c0, p2c0, #5
    sub.w p3c0, p3c0, #5
    strh.w p0c0, [output, #0]
    strh.w p1c0, [output, #2]
    strh.w p2c0, [output, #20]
    strh.w p3c0, [output, #22]
    vmov mantissa, mantissa_c1
    vmov rounding, rounding_c1
    vmov shift, shift_c1
    smmlar scaled, p0c1, mantissa, rounding
    add.w p0c1, scaled, p0c1, asr #31
    smmlar scaled, p1c1, mantissa, rounding
    add.w p1c1, scaled, p1c1, asr #31
    smmlar scaled, p2c1, mantissa, rounding
    add.w p2c1, scaled, p2c1, asr #31
    smmlar scaled, p3c1, mantissa, rounding
    add.w p3c1, scaled, p3c1, asr #31
    asr.w p0c1, p0c1, shift
    asr.w p1c1, p1c1, shift
    asr.w p2c1, p2c1, shift
    asr.w p3c1, p3c1, shift
    ssat p0c1, #8, p0c1
    ssat p1c1, #8, p1c1
    ssat p2c1, #8, p2c1
    ssat p3c1, #8, p3c1
    sub.w p0c1, p0c1, #5
    sub.w p1c1, p1c1, #5
    sub.w p2c1, p2c1, #5
    sub.w p3c1, p3c1, #5
    strh.w p0c1, [output, #160]
    strh.w p1c1, [output, #162]
    strh.w p2c1, [output, #180]
    strh.w p3c1, [output, #182]
    add.w output, output, #4
    vmov output_kept, output
    sub.w x, x, #176
    vmov bound, row_end
    cmp.w x, bound
    bne.w 1b
    add.w x, x, #80
    add.w output, output, #28
    add.w bound, bound, #128
    vmov output_kept, output
    vmov row_end, bound
    vmov bound, rows_end
    cmp.w x, bound
    bne.w 1b
    pop {r4-r11, pc}
    .unreq x
    .unreq w
    .unreq p
    .unreq o
    .unreq output
    .unreq end
    .unreq bound
    .unreq mantissa
    .unreq rounding
    .unreq shift
    .unreq scaled
    .unreq p0c0
    .unreq p0c1
    .unreq p1c0
    .unreq p1c1
    .unreq p2c0
    .unreq p2c1
    .unreq p3c0
    .unreq p3c1
    .unreq t0
    .unreq t1
    .unreq t2
    .unreq t3
    .unreq bias_c0
    .unreq bias_c1
    .unreq mantissa_c0
    .unreq mantissa_c1
    .unreq rounding_c0
    .unreq rounding_c1
    .unreq shift_c0
    .unreq shift_c1
    .unreq output_kept
    .unreq w_kept
    .unreq w_end
    .unreq row_end
    .unreq rows_end
    .size cm4t_mac_4x2_a51d7cbe, . - cm4t_mac_4x2_a51d7cbe
    .popsection
