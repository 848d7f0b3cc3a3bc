@ kronecker
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ CONV_2D 10x4, stride 2, input 20x10x1, 32 channels, ReLU; candidate: kronecker ram

@ void cm4t_kronecker_pack_fd1d8a66(const int8_t *x, int32_t *to);
@ 192 bytes, the largest loop 120
    .syntax unified
    .thumb
    .pushsection .text.cm4t_kronecker_pack_fd1d8a66,"ax",%progbits
    .balign 32
    .global cm4t_kronecker_pack_fd1d8a66
    .type cm4t_kronecker_pack_fd1d8a66, %function
    .thumb_func
cm4t_kronecker_pack_fd1d8a66:
x                    .req r0   @ argument: the image's row
to                   .req r1   @ argument: the row's words
low_zero             .req r2   @ minus the zero point, in the lower field
both_zero            .req r3   @ minus the zero point, in both fields
high_zero            .req r12  @ minus the zero point, in the upper field
rows_end             .req lr   @ end of the image
zero                 .req r4   @ 0
zeros_end            .req r5   @ end of rows of zeros
low0                 .req r4   @ lower field of a word
high0                .req r5   @ upper field of a word
low1                 .req r6   @ lower field of a word
high1                .req r7   @ upper field of a word
low2                 .req r8   @ lower field of a word
high2                .req r9   @ upper field of a word
low3                 .req r10  @ lower field of a word
high3                .req r11  @ upper field of a word
    push {r4-r11, lr}
    movw low_zero, #128
    movw both_zero, #128
    movt both_zero, #4096
    movw high_zero, #0
    movt high_zero, #4096
    mov.w zero, #0
    add.w zeros_end, to, #96
1:
    str.w zero, [to], #4
    cmp.w to, zeros_end
    bne.w 1b
    add.w rows_end, x, #200
2:
    ldrsb.w high0, [x, #1]
    ldrsb.w low1, [x, #3]
    ldrsb.w high1, [x, #5]
    ldrsb.w low2, [x, #7]
    ldrsb.w high2, [x, #9]
    ldrsb.w low3, [x, #0]
    ldrsb.w high3, [x, #2]
    add.w low0, high_zero, high0, lsl #21
    add.w low1, low1, high1, lsl #21
    add.w low1, low1, both_zero
    add.w low2, low2, high2, lsl #21
    add.w low2, low2, both_zero
    add.w low3, low3, high3, lsl #21
    add.w low3, low3, both_zero
    str.w low0, [to, #0]
    str.w low1, [to, #4]
    str.w low2, [to, #8]
    str.w low3, [to, #12]
    ldrsb.w low0, [x, #4]
    ldrsb.w high0, [x, #6]
    ldrsb.w low1, [x, #8]
    add.w low0, low0, high0, lsl #21
    add.w low0, low0, both_zero
    add.w low1, low1, low_zero
    str.w low0, [to, #16]
    str.w low1, [to, #20]
    add.w x, x, #10
    add.w to, to, #24
    cmp.w x, rows_end
    bne.w 2b
    mov.w zero, #0
    add.w zeros_end, to, #96
3:
    str.w zero, [to], #4
    cmp.w to, zeros_end
    bne.w 3b
    pop {r4-r11, pc}
    .unreq x
    .unreq to
    .unreq low_zero
    .unreq both_zero
    .unreq high_zero
    .unreq rows_end
    .unreq zero
    .unreq zeros_end
    .unreq low0
    .unreq high0
    .unreq low1
    .unreq high1
    .unreq low2
    .unreq high2
    .unreq low3
    .unreq high3
    .size cm4t_kronecker_pack_fd1d8a66, . - cm4t_kronecker_pack_fd1d8a66
    .popsection

@ void cm4t_kronecker_aaf41c2a(const int32_t *x, const int32_t *w, int16_t *o);
@ 820 bytes, the largest loop 740
    .syntax unified
    .thumb
    .pushsection .text.cm4t_kronecker_aaf41c2a,"ax",%progbits
    .balign 32
    .global cm4t_kronecker_aaf41c2a
    .type cm4t_kronecker_aaf41c2a, %function
    .thumb_func
cm4t_kronecker_aaf41c2a:
x                    .req r0   @ argument: the packed image, first word of an output row's window
w                    .req r1   @ argument: weights and parameters of all channels
o                    .req r2   @ argument: the first result
stream               .req r1   @ the next channel's weights
place                .req r1   @ the row's first result
end                  .req r2   @ end of a loop
bound                .req r3   @ end of a loop on its way to the FPU registers
mantissa             .req r2   @ of the channel
rounding             .req r3   @ of the channel
x0                   .req r1   @ a packed word
x1                   .req r2   @ a packed word
x2                   .req r3   @ a packed word
x3                   .req r10  @ a packed word
x4                   .req r11  @ a packed word
x5                   .req r12  @ a packed word
low0                 .req r4   @ low word of an accumulator
high0                .req r5   @ high word of an accumulator
low1                 .req r6   @ low word of an accumulator
high1                .req r7   @ high word of an accumulator
low2                 .req r8   @ low word of an accumulator
high2                .req r9   @ high word of an accumulator
weight               .req lr   @ a word of weights
weight0              .req s0   @ a word of the channel's weights
weight1              .req s1   @ a word of the channel's weights
weight2              .req s2   @ a word of the channel's weights
weight3              .req s3   @ a word of the channel's weights
weight4              .req s4   @ a word of the channel's weights
weight5              .req s5   @ a word of the channel's weights
weight6              .req s6   @ a word of the channel's weights
weight7              .req s7   @ a word of the channel's weights
weight8              .req s8   @ a word of the channel's weights
weight9              .req s9   @ a word of the channel's weights
weight10             .req s10  @ a word of the channel's weights
weight11             .req s11  @ a word of the channel's weights
weight12             .req s12  @ a word of the channel's weights
weight13             .req s13  @ a word of the channel's weights
weight14             .req s14  @ a word of the channel's weights
weight15             .req s15  @ a word of the channel's weights
weight16             .req s16  @ a word of the channel's weights
weight17             .req s17  @ a word of the channel's weights
weight18             .req s18  @ a word of the channel's weights
weight19             .req s19  @ a word of the channel's weights
start_low            .req s20  @ what the channel's accumulators start with
start_high           .req s21  @ what the channel's accumulators start with
mantissa_held        .req s22  @ of the channel
rounding_held        .req s23  @ of the channel
place_kept           .req s24  @ see place
stream_kept          .req s25  @ see stream
stream_end           .req s26  @ end of the weights
rows_end             .req s27  @ end of the packed image
    push {r4-r11, lr}
    vpush {s16-s27}
    vmov stream_kept, w
    vmov place_kept, o
    add.w bound, w, #3072
    vmov stream_end, bound
    add.w bound, x, #480
    vmov rows_end, bound
9:
    vmov stream, stream_kept
    vldmia stream!, {weight0-rounding_held}
    vmov stream_kept, stream
8:
    vmov low0, start_low
    vmov high0, start_high
    mov.w low1, low0
    mov.w high1, high0
    mov.w low2, low0
    mov.w high2, high0
    ldr.w x0, [x, #0]
    ldr.w x1, [x, #4]
    ldr.w x2, [x, #8]
    ldr.w x3, [x, #12]
    ldr.w x4, [x, #16]
    ldr.w x5, [x, #20]
    vmov weight, weight0
    smlal low0, high0, x0, weight
    smlal low1, high1, x1, weight
    smlal low2, high2, x2, weight
    vmov weight, weight1
    smlal low0, high0, x3, weight
    smlal low1, high1, x4, weight
    smlal low2, high2, x5, weight
    ldr.w x0, [x, #24]
    ldr.w x1, [x, #28]
    ldr.w x2, [x, #32]
    ldr.w x3, [x, #36]
    ldr.w x4, [x, #40]
    ldr.w x5, [x, #44]
    vmov weight, weight2
    smlal low0, high0, x0, weight
    smlal low1, high1, x1, weight
    smlal low2, high2, x2, weight
    vmov weight, weight3
    smlal low0, high0, x3, weight
    smlal low1, high1, x4, weight
    smlal low2, high2, x5, weight
    ldr.w x0, [x, #48]
    ldr.w x1, [x, #52]
    ldr.w x2, [x, #56]
    ldr.w x3, [x, #60]
    ldr.w x4, [x, #64]
    ldr.w x5, [x, #68]
    vmov weight, weight4
    smlal low0, high0, x0, weight
    smlal low1, high1, x1, weight
    smlal low2, high2, x2, weight
    vmov weight, weight5
    smlal low0, high0, x3, weight
    smlal low1, high1, x4, weight
    smlal low2, high2, x5, weight
    ldr.w x0, [x, #72]
    ldr.w x1, [x, #76]
    ldr.w x2, [x, #80]
    ldr.w x3, [x, #84]
    ldr.w x4, [x, #88]
    ldr.w x5, [x, #92]
    vmov weight, weight6
    smlal low0, high0, x0, weight
    smlal low1, high1, x1, weight
    smlal low2, high2, x2, weight
    vmov weight, weight7
    smlal low0, high0, x3, weight
    smlal low1, high1, x4, weight
    smlal low2, high2, x5, weight
    ldr.w x0, [x, #96]
    ldr.w x1, [x, #100]
    ldr.w x2, [x, #104]
    ldr.w x3, [x, #108]
    ldr.w x4, [x, #112]
    ldr.w x5, [x, #116]
    vmov weight, weight8
    smlal low0, high0, x0, weight
    smlal low1, high1, x1, weight
    smlal low2, high2, x2, weight
    vmov weight, weight9
    smlal low0, high0, x3, weight
    smlal low1, high1, x4, weight
    smlal low2, high2, x5, weight
    ldr.w x0, [x, #120]
    ldr.w x1, [x, #124]
    ldr.w x2, [x, #128]
    ldr.w x3, [x, #132]
    ldr.w x4, [x, #136]
    ldr.w x5, [x, #140]
    vmov weight, weight10
    smlal low0, high0, x0, weight
    smlal low1, high1, x1, weight
    smlal low2, high2, x2, weight
    vmov weight, weight11
    smlal low0, high0, x3, weight
    smlal low1, high1, x4, weight
    smlal low2, high2, x5, weight
    ldr.w x0, [x, #144]
    ldr.w x1, [x, #148]
    ldr.w x2, [x, #152]
    ldr.w x3, [x, #156]
    ldr.w x4, [x, #160]
    ldr.w x5, [x, #164]
    vmov weight, weight12
    smlal low0, high0, x0, weight
    smlal low1, high1, x1, weight
    smlal low2, high2, x2, weight
    vmov weight, weight13
    smlal low0, high0, x3, weight
    smlal low1, high1, x4, weight
    smlal low2, high2, x5, weight
    ldr.w x0, [x, #168]
    ldr.w x1, [x, #172]
    ldr.w x2, [x, #176]
    ldr.w x3, [x, #180]
    ldr.w x4, [x, #184]
    ldr.w x5, [x, #188]
    vmov weight, weight14
    smlal low0, high0, x0, weight
    smlal low1, high1, x1, weight
    smlal low2, high2, x2, weight
    vmov weight, weight15
    smlal low0, high0, x3, weight
    smlal low1, high1, x4, weight
    smlal low2, high2, x5, weight
    ldr.w x0, [x, #192]
    ldr.w x1, [x, #196]
    ldr.w x2, [x, #200]
    ldr.w x3, [x, #204]
    ldr.w x4, [x, #208]
    ldr.w x5, [x, #212]
    vmov weight, weight16
    smlal low0, high0, x0, weight
    smlal low1, high1, x1, weight
    smlal low2, high2, x2, weight
    vmov weight, weight17
    smlal low0, high0, x3, weight
    smlal low1, high1, x4, weight
    smlal low2, high2, x5, weight
    ldr.w x0, [x, #216]
    ldr.w x1, [x, #220]
    ldr.w x2, [x, #224]
    ldr.w x3, [x, #228]
    ldr.w x4, [x, #232]
    ldr.w x5, [x, #236]
    vmov weight, weight18
    smlal low0, high0, x0, weight
    smlal low1, high1, x1, weight
    smlal low2, high2, x2, weight
    vmov weight, weight19
    smlal low0, high0, x3, weight
    smlal low1, high1, x4, weight
    smlal low2, high2, x5, weight
    lsr.w low0, low0, #21
    orr.w low0, low0, high0, lsl #11
    lsl.w low0, low0, #11
    add.w high0, high0, #512
    add.w high0, low1, high0, asr #10
    lsl.w high0, high0, #11
    lsr.w low1, low1, #21
    orr.w low1, low1, high1, lsl #11
    lsl.w low1, low1, #11
    add.w high1, high1, #512
    add.w high1, low2, high1, asr #10
    lsl.w high1, high1, #11
    lsr.w low2, low2, #21
    orr.w low2, low2, high2, lsl #11
    lsl.w low2, low2, #11
    vmov place, place_kept
    vmov mantissa, mantissa_held
    vmov rounding, rounding_held
    smmla low0, low0, mantissa, rounding
    smmla high0, high0, mantissa, rounding
    smmla low1, low1, mantissa, rounding
    smmla high1, high1, mantissa, rounding
    smmla low2, low2, mantissa, rounding
    usat low0, #8, low0, asr #18
    usat high0, #8, high0, asr #18
    usat low1, #8, low1, asr #18
    usat high1, #8, high1, asr #18
    usat low2, #8, low2, asr #18
    strh.w low0, [place, #0]
    strh.w high0, [place, #64]
    strh.w low1, [place, #128]
    strh.w high1, [place, #192]
    strh.w low2, [place, #256]
    add.w place, place, #320
    vmov place_kept, place
    add.w x, x, #48
    vmov end, rows_end
    cmp.w x, end
    bne.w 8b
    sub.w x, x, #480
    subw place, place, #3198
    vmov place_kept, place
    vmov stream, stream_kept
    vmov end, stream_end
    cmp.w stream, end
    bne.w 9b
    vpop {s16-s27}
    pop {r4-r11, pc}
    .unreq x
    .unreq w
    .unreq o
    .unreq stream
    .unreq place
    .unreq end
    .unreq bound
    .unreq mantissa
    .unreq rounding
    .unreq x0
    .unreq x1
    .unreq x2
    .unreq x3
    .unreq x4
    .unreq x5
    .unreq low0
    .unreq high0
    .unreq low1
    .unreq high1
    .unreq low2
    .unreq high2
    .unreq weight
    .unreq weight0
    .unreq weight1
    .unreq weight2
    .unreq weight3
    .unreq weight4
    .unreq weight5
    .unreq weight6
    .unreq weight7
    .unreq weight8
    .unreq weight9
    .unreq weight10
    .unreq weight11
    .unreq weight12
    .unreq weight13
    .unreq weight14
    .unreq weight15
    .unreq weight16
    .unreq weight17
    .unreq weight18
    .unreq weight19
    .unreq start_low
    .unreq start_high
    .unreq mantissa_held
    .unreq rounding_held
    .unreq place_kept
    .unreq stream_kept
    .unreq stream_end
    .unreq rows_end
    .size cm4t_kronecker_aaf41c2a, . - cm4t_kronecker_aaf41c2a
    .popsection
