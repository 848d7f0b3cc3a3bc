@ depthwise
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ DEPTHWISE_CONV_2D 3x3, stride 1, output 4x4x2, ReLU; candidate: depthwise 2x2 columns ram

@ void cm4t_depthwise_0f2c331b(const int16_t *x, const int32_t *w, int16_t *o);
@ 420 bytes, the largest loop 392
    .syntax unified
    .thumb
    .pushsection .text.cm4t_depthwise_0f2c331b,"ax",%progbits
    .balign 32
    .global cm4t_depthwise_0f2c331b
    .type cm4t_depthwise_0f2c331b, %function
    .thumb_func
cm4t_depthwise_0f2c331b:
x                    .req r0   @ argument: the first plane
w                    .req r1   @ argument: weights and parameters of all channels
o                    .req r2   @ argument: the first result
stream               .req r11  @ where the next channel's weights stand
end                  .req r11  @ end of a loop
source               .req r12  @ the first input of a block
place                .req lr   @ the first result of a block
bias                 .req s0   @ of the channel
mantissa             .req s1   @ of the channel
rounding             .req s2   @ of the channel
columns_end          .req s5   @ end in x of the loop along a row or over the columns
channels_end         .req s6   @ end of x
stream_kept          .req s7   @ see stream
taps0                .req r0   @ two weights of the channel
taps1                .req r1   @ two weights of the channel
taps2                .req r2   @ two weights of the channel
taps3                .req r3   @ two weights of the channel
taps4                .req r4   @ two weights of the channel
taps5                .req r5   @ two weights of the channel
sum0                 .req r6   @ an output of the block, row by row
sum1                 .req r7   @ an output of the block, row by row
sum2                 .req r8   @ an output of the block, row by row
sum3                 .req r9   @ an output of the block, row by row
t4                   .req r10  @ a word of inputs, then parameters: those after the block's sums are free
t5                   .req r11  @ a word of inputs, then parameters: those after the block's sums are free
    push {r4-r11, lr}
    mov.w source, x
    mov.w place, o
    vmov stream_kept, w
    add.w end, source, #192
    vmov channels_end, end
9:
    vmov stream, stream_kept
    ldmia stream!, {taps0, taps1, taps2, taps3, taps4, taps5}
    vldmia stream!, {bias-rounding}
    vmov stream_kept, stream
    add.w end, source, #8
    vmov columns_end, end
8:
    vmov sum3, bias
    ldr.w t4, [source, #16]
    ldr.w t5, [source, #20]
    smlad sum0, t4, taps2, sum3
    smlatb sum1, t4, taps2, sum3
    smlad sum2, t4, taps0, sum3
    smlatb sum3, t4, taps0, sum3
    smlabt sum0, t5, taps3, sum0
    smlad sum1, t5, taps3, sum1
    smlabt sum2, t5, taps1, sum2
    smlad sum3, t5, taps1, sum3
    ldr.w t4, [source, #32]
    ldr.w t5, [source, #36]
    smlad sum0, t4, taps4, sum0
    smlatb sum1, t4, taps4, sum1
    smlad sum2, t4, taps2, sum2
    smlatb sum3, t4, taps2, sum3
    smlabt sum0, t5, taps5, sum0
    smlad sum1, t5, taps5, sum1
    smlabt sum2, t5, taps3, sum2
    smlad sum3, t5, taps3, sum3
    ldr.w t4, [source, #48]
    ldr.w t5, [source, #52]
    smlad sum2, t4, taps4, sum2
    smlatb sum3, t4, taps4, sum3
    smlabt sum2, t5, taps5, sum2
    smlad sum3, t5, taps5, sum3
    vmov t4, mantissa
    vmov t5, rounding
    smmla sum0, sum0, t4, t5
    smmla sum1, sum1, t4, t5
    smmla sum2, sum2, t4, t5
    smmla sum3, sum3, t4, t5
    usat sum0, #8, sum0, asr #9
    usat sum1, #8, sum1, asr #9
    usat sum2, #8, sum2, asr #9
    usat sum3, #8, sum3, asr #9
    strh.w sum0, [place, #0]
    strh.w sum1, [place, #4]
    strh.w sum2, [place, #16]
    strh.w sum3, [place, #20]
    vmov sum3, bias
    ldr.w t4, [source, #32]
    ldr.w t5, [source, #36]
    smlad sum0, t4, taps0, sum3
    smlatb sum1, t4, taps0, sum3
    smlabt sum0, t5, taps1, sum0
    smlad sum1, t5, taps1, sum1
    ldr.w t4, [source, #48]
    ldr.w t5, [source, #52]
    smlad sum0, t4, taps2, sum0
    smlatb sum1, t4, taps2, sum1
    smlad sum2, t4, taps0, sum3
    smlatb sum3, t4, taps0, sum3
    smlabt sum0, t5, taps3, sum0
    smlad sum1, t5, taps3, sum1
    smlabt sum2, t5, taps1, sum2
    smlad sum3, t5, taps1, sum3
    ldr.w t4, [source, #64]
    ldr.w t5, [source, #68]
    smlad sum0, t4, taps4, sum0
    smlatb sum1, t4, taps4, sum1
    smlad sum2, t4, taps2, sum2
    smlatb sum3, t4, taps2, sum3
    smlabt sum0, t5, taps5, sum0
    smlad sum1, t5, taps5, sum1
    smlabt sum2, t5, taps3, sum2
    smlad sum3, t5, taps3, sum3
    vmov t4, mantissa
    vmov t5, rounding
    smmla sum0, sum0, t4, t5
    smmla sum1, sum1, t4, t5
    smmla sum2, sum2, t4, t5
    smmla sum3, sum3, t4, t5
    usat sum0, #8, sum0, asr #9
    usat sum1, #8, sum1, asr #9
    usat sum2, #8, sum2, asr #9
    usat sum3, #8, sum3, asr #9
    strh.w sum0, [place, #32]
    strh.w sum1, [place, #36]
    strh.w sum2, [place, #48]
    strh.w sum3, [place, #52]
    add.w source, source, #4
    add.w place, place, #8
    vmov end, columns_end
    cmp.w source, end
    bne.w 8b
    add.w source, source, #88
    sub.w place, place, #14
    vmov end, channels_end
    cmp.w source, end
    bne.w 9b
    pop {r4-r11, pc}
    .unreq x
    .unreq w
    .unreq o
    .unreq stream
    .unreq end
    .unreq source
    .unreq place
    .unreq bias
    .unreq mantissa
    .unreq rounding
    .unreq columns_end
    .unreq channels_end
    .unreq stream_kept
    .unreq taps0
    .unreq taps1
    .unreq taps2
    .unreq taps3
    .unreq taps4
    .unreq taps5
    .unreq sum0
    .unreq sum1
    .unreq sum2
    .unreq sum3
    .unreq t4
    .unreq t5
    .size cm4t_depthwise_0f2c331b, . - cm4t_depthwise_0f2c331b
    .popsection

@ -----------------------------------------------------------------------------
@ DEPTHWISE_CONV_2D 3x3, stride 2, output 4x4x2, ReLU; candidate: depthwise 2x2 u1 ram

@ void cm4t_depthwise_2684038c(const int16_t *x, const int32_t *w, int16_t *o);
@ 336 bytes, the largest loop 308
    .syntax unified
    .thumb
    .pushsection .text.cm4t_depthwise_2684038c,"ax",%progbits
    .balign 32
    .global cm4t_depthwise_2684038c
    .type cm4t_depthwise_2684038c, %function
    .thumb_func
cm4t_depthwise_2684038c:
x                    .req r0   @ argument: the first plane
w                    .req r1   @ argument: weights and parameters of all channels
o                    .req r2   @ argument: the first result
stream               .req r11  @ where the next channel's weights stand
end                  .req r11  @ end of a loop
source               .req r12  @ the first input of a block
place                .req lr   @ the first result of a block
bias                 .req s0   @ of the channel
mantissa             .req s1   @ of the channel
rounding             .req s2   @ of the channel
bands_end            .req s4   @ end in x of the bands of rows
columns_end          .req s5   @ end in x of the loop along a row or over the columns
channels_end         .req s6   @ end of x
stream_kept          .req s7   @ see stream
taps0                .req r0   @ two weights of the channel
taps1                .req r1   @ two weights of the channel
taps2                .req r2   @ two weights of the channel
taps3                .req r3   @ two weights of the channel
taps4                .req r4   @ two weights of the channel
sum0                 .req r5   @ an output of the block, row by row
sum1                 .req r6   @ an output of the block, row by row
sum2                 .req r7   @ an output of the block, row by row
sum3                 .req r8   @ an output of the block, row by row
t4                   .req r9   @ a word of inputs, then parameters: those after the block's sums are free
t5                   .req r10  @ a word of inputs, then parameters: those after the block's sums are free
t6                   .req r11  @ a word of inputs, then parameters: those after the block's sums are free
    push {r4-r11, lr}
    mov.w source, x
    mov.w place, o
    vmov stream_kept, w
    add.w end, source, #480
    vmov channels_end, end
9:
    vmov stream, stream_kept
    ldmia stream!, {taps0, taps1, taps2, taps3, taps4}
    vldmia stream!, {bias-rounding}
    vmov stream_kept, stream
    add.w end, source, #192
    vmov bands_end, end
8:
    add.w end, source, #16
    vmov columns_end, end
7:
    vmov sum3, bias
    ldr.w t4, [source, #0]
    ldr.w t5, [source, #4]
    ldr.w t6, [source, #8]
    smlad sum0, t4, taps0, sum3
    smlabb sum0, t5, taps3, sum0
    smlad sum1, t5, taps0, sum3
    smlabb sum1, t6, taps3, sum1
    ldr.w t4, [source, #24]
    ldr.w t5, [source, #28]
    ldr.w t6, [source, #32]
    smlad sum0, t4, taps1, sum0
    smlabt sum0, t5, taps3, sum0
    smlad sum1, t5, taps1, sum1
    smlabt sum1, t6, taps3, sum1
    ldr.w t4, [source, #48]
    ldr.w t5, [source, #52]
    ldr.w t6, [source, #56]
    smlad sum0, t4, taps2, sum0
    smlad sum2, t4, taps0, sum3
    smlabb sum0, t5, taps4, sum0
    smlad sum1, t5, taps2, sum1
    smlabb sum2, t5, taps3, sum2
    smlad sum3, t5, taps0, sum3
    smlabb sum1, t6, taps4, sum1
    smlabb sum3, t6, taps3, sum3
    ldr.w t4, [source, #72]
    ldr.w t5, [source, #76]
    ldr.w t6, [source, #80]
    smlad sum2, t4, taps1, sum2
    smlabt sum2, t5, taps3, sum2
    smlad sum3, t5, taps1, sum3
    smlabt sum3, t6, taps3, sum3
    ldr.w t4, [source, #96]
    ldr.w t5, [source, #100]
    ldr.w t6, [source, #104]
    smlad sum2, t4, taps2, sum2
    smlabb sum2, t5, taps4, sum2
    smlad sum3, t5, taps2, sum3
    smlabb sum3, t6, taps4, sum3
    vmov t4, mantissa
    vmov t5, rounding
    smmla sum0, sum0, t4, t5
    smmla sum1, sum1, t4, t5
    smmla sum2, sum2, t4, t5
    smmla sum3, sum3, t4, t5
    usat sum0, #8, sum0, asr #9
    usat sum1, #8, sum1, asr #9
    usat sum2, #8, sum2, asr #9
    usat sum3, #8, sum3, asr #9
    strh.w sum0, [place, #0]
    strh.w sum1, [place, #4]
    strh.w sum2, [place, #16]
    strh.w sum3, [place, #20]
    add.w source, source, #8
    add.w place, place, #8
    vmov end, columns_end
    cmp.w source, end
    bne.w 7b
    add.w source, source, #80
    add.w place, place, #16
    vmov end, bands_end
    cmp.w source, end
    bne.w 8b
    add.w source, source, #48
    sub.w place, place, #62
    vmov end, channels_end
    cmp.w source, end
    bne.w 9b
    pop {r4-r11, pc}
    .unreq x
    .unreq w
    .unreq o
    .unreq stream
    .unreq end
    .unreq source
    .unreq place
    .unreq bias
    .unreq mantissa
    .unreq rounding
    .unreq bands_end
    .unreq columns_end
    .unreq channels_end
    .unreq stream_kept
    .unreq taps0
    .unreq taps1
    .unreq taps2
    .unreq taps3
    .unreq taps4
    .unreq sum0
    .unreq sum1
    .unreq sum2
    .unreq sum3
    .unreq t4
    .unreq t5
    .unreq t6
    .size cm4t_depthwise_2684038c, . - cm4t_depthwise_2684038c
    .popsection
