@ winograd 4x4
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ CONV_2D 3x3, stride 1, output 8x8x2, 4 input channels, ReLU; candidate: winograd 4x4 t4 ram

@ void cm4t_winograd_input_decee383(const int16_t *x, int32_t *v);
@ 844 bytes, the largest loop 812
    .syntax unified
    .thumb
    .pushsection .text.cm4t_winograd_input_decee383,"ax",%progbits
    .balign 32
    .global cm4t_winograd_input_decee383
    .type cm4t_winograd_input_decee383, %function
    .thumb_func
cm4t_winograd_input_decee383:
x                    .req r0   @ argument: the tile's upper left corner
v                    .req r1   @ argument: the tile's place in slice 0 of V
u0                   .req r0   @ values of a row or column, two channels each
u1                   .req r1   @ values of a row or column, two channels each
u2                   .req r2   @ values of a row or column, two channels each
u3                   .req r3   @ values of a row or column, two channels each
u4                   .req r4   @ values of a row or column, two channels each
u5                   .req r5   @ values of a row or column, two channels each
u6                   .req r6   @ values of a row or column, two channels each
u7                   .req r7   @ values of a row or column, two channels each
source               .req r9   @ the next row, two channels
patch                .req r10  @ transformed rows, on the stack
target               .req r11  @ where the results go
pairs                .req lr   @ pairs of channels left
iterations           .req lr   @ iterations of a loop left
pairs_kept           .req s0   @ see pairs
    push {r4-r11, lr}
    sub.w sp, sp, #144
    mov.w target, v
    mov.w source, x
    movw pairs, #2
    vmov pairs_kept, pairs
9:
    mov.w patch, sp
    mov.w iterations, #2
8:
    ldr.w u0, [source, #0]
    ldr.w u1, [source, #8]
    ldr.w u2, [source, #16]
    ldr.w u3, [source, #24]
    ldr.w u4, [source, #32]
    ldr.w u5, [source, #40]
    lsl.w u6, u2, #2
    ssub16 u6, u4, u6
    lsl.w u7, u0, #2
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    lsl.w u7, u1, #2
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    add.w source, source, #80
    str.w u0, [patch, #0]
    str.w u2, [patch, #4]
    str.w u6, [patch, #8]
    str.w u3, [patch, #12]
    str.w u4, [patch, #16]
    str.w u5, [patch, #20]
    ldr.w u0, [source, #0]
    ldr.w u1, [source, #8]
    ldr.w u2, [source, #16]
    ldr.w u3, [source, #24]
    ldr.w u4, [source, #32]
    ldr.w u5, [source, #40]
    lsl.w u6, u2, #2
    ssub16 u6, u4, u6
    lsl.w u7, u0, #2
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    lsl.w u7, u1, #2
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    add.w source, source, #80
    str.w u0, [patch, #24]
    str.w u2, [patch, #28]
    str.w u6, [patch, #32]
    str.w u3, [patch, #36]
    str.w u4, [patch, #40]
    str.w u5, [patch, #44]
    ldr.w u0, [source, #0]
    ldr.w u1, [source, #8]
    ldr.w u2, [source, #16]
    ldr.w u3, [source, #24]
    ldr.w u4, [source, #32]
    ldr.w u5, [source, #40]
    lsl.w u6, u2, #2
    ssub16 u6, u4, u6
    lsl.w u7, u0, #2
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    lsl.w u7, u1, #2
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    add.w source, source, #80
    str.w u0, [patch, #48]
    str.w u2, [patch, #52]
    str.w u6, [patch, #56]
    str.w u3, [patch, #60]
    str.w u4, [patch, #64]
    str.w u5, [patch, #68]
    add.w patch, patch, #72
    subs.w iterations, iterations, #1
    bne.w 8b
    mov.w patch, sp
    mov.w iterations, #2
7:
    ldr.w u0, [patch, #0]
    ldr.w u1, [patch, #24]
    ldr.w u2, [patch, #48]
    ldr.w u3, [patch, #72]
    ldr.w u4, [patch, #96]
    ldr.w u5, [patch, #120]
    sadd16 u6, u2, u2
    sadd16 u6, u6, u6
    ssub16 u6, u4, u6
    sadd16 u7, u0, u0
    sadd16 u7, u7, u7
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    sadd16 u7, u1, u1
    sadd16 u7, u7, u7
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    str.w u0, [target, #0]
    str.w u2, [target, #32]
    str.w u6, [target, #64]
    str.w u3, [target, #96]
    str.w u4, [target, #128]
    str.w u5, [target, #160]
    ldr.w u0, [patch, #4]
    ldr.w u1, [patch, #28]
    ldr.w u2, [patch, #52]
    ldr.w u3, [patch, #76]
    ldr.w u4, [patch, #100]
    ldr.w u5, [patch, #124]
    sadd16 u6, u2, u2
    sadd16 u6, u6, u6
    ssub16 u6, u4, u6
    sadd16 u7, u0, u0
    sadd16 u7, u7, u7
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    sadd16 u7, u1, u1
    sadd16 u7, u7, u7
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    str.w u0, [target, #192]
    str.w u2, [target, #224]
    str.w u6, [target, #256]
    str.w u3, [target, #288]
    str.w u4, [target, #320]
    str.w u5, [target, #352]
    ldr.w u0, [patch, #8]
    ldr.w u1, [patch, #32]
    ldr.w u2, [patch, #56]
    ldr.w u3, [patch, #80]
    ldr.w u4, [patch, #104]
    ldr.w u5, [patch, #128]
    sadd16 u6, u2, u2
    sadd16 u6, u6, u6
    ssub16 u6, u4, u6
    sadd16 u7, u0, u0
    sadd16 u7, u7, u7
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    sadd16 u7, u1, u1
    sadd16 u7, u7, u7
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    str.w u0, [target, #384]
    str.w u2, [target, #416]
    str.w u6, [target, #448]
    str.w u3, [target, #480]
    str.w u4, [target, #512]
    str.w u5, [target, #544]
    add.w target, target, #576
    add.w patch, patch, #12
    subs.w iterations, iterations, #1
    bne.w 7b
    sub.w target, target, #1136
    sub.w source, source, #476
    vmov pairs, pairs_kept
    subs.w pairs, pairs, #1
    vmov pairs_kept, pairs
    bne.w 9b
    add.w sp, sp, #144
    pop {r4-r11, pc}
    .unreq x
    .unreq v
    .unreq u0
    .unreq u1
    .unreq u2
    .unreq u3
    .unreq u4
    .unreq u5
    .unreq u6
    .unreq u7
    .unreq source
    .unreq patch
    .unreq target
    .unreq pairs
    .unreq iterations
    .unreq pairs_kept
    .size cm4t_winograd_input_decee383, . - cm4t_winograd_input_decee383
    .popsection

@ void cm4t_winograd_product_78f30e58(const int32_t *v, const int32_t *w, int32_t *m, int32_t pairs);
@ 236 bytes, the largest loop 180
    .syntax unified
    .thumb
    .pushsection .text.cm4t_winograd_product_78f30e58,"ax",%progbits
    .balign 32
    .global cm4t_winograd_product_78f30e58
    .type cm4t_winograd_product_78f30e58, %function
    .thumb_func
cm4t_winograd_product_78f30e58:
v                    .req r0   @ argument: transformed input
w                    .req r1   @ argument: transformed weights
m                    .req r2   @ argument: products
count                .req r3   @ argument: pairs of output channels; quads if there are several groups
component            .req r3   @ bytes of a component of M
c0t0                 .req r0   @ sum of output channel c and tile t
c0t1                 .req r1   @ sum of output channel c and tile t
c0t2                 .req r2   @ sum of output channel c and tile t
c0t3                 .req r3   @ sum of output channel c and tile t
c1t0                 .req r4   @ sum of output channel c and tile t
c1t1                 .req r5   @ sum of output channel c and tile t
c1t2                 .req r6   @ sum of output channel c and tile t
c1t3                 .req r7   @ sum of output channel c and tile t
m_at                 .req r8   @ where the quad's products go
component_end        .req r9   @ end of the component in M
m_end                .req r10  @ end of the channel pair's part of M
count_kept           .req r4   @ see count
x_t0                 .req r8   @ two input channels of a tile
x_t1                 .req r9   @ two input channels of a tile
x_t2                 .req r10  @ two input channels of a tile
x_t3                 .req r11  @ two input channels of a tile
step                 .req r11  @ bytes of a component of M
weight               .req r12  @ two weights of an output channel
w_at                 .req r12  @ the next component's weights
pairs_left           .req r12  @ pairs of output channels left
v_at                 .req lr   @ the next words of V
weight0_c0           .req s0   @ weights of two input channels k, one output channel c
weight0_c1           .req s1   @ weights of two input channels k, one output channel c
weight1_c0           .req s2   @ weights of two input channels k, one output channel c
weight1_c1           .req s3   @ weights of two input channels k, one output channel c
m_kept               .req s4   @ see m_at, component_end
component_end_kept   .req s5   @ see m_at, component_end
    push {r4-r11, lr}
    mov.w count_kept, count
    add.w m_end, m, #1152
    mov.w v_at, v
    mov.w m_at, m
    sub.w sp, sp, #32
    strd m_at, component_end, [sp]
    strd w, m_end, [sp, #8]
    strd component, v, [sp, #16]
    str.w count_kept, [sp, #24]
    vmov m_kept, m_at
    vmov component_end_kept, component_end
9:
    ldr.w w_at, [sp, #8]
    vldm w_at!, {weight0_c0-weight1_c1}
    str.w w_at, [sp, #8]
8:
    ldm.w v_at!, {x_t0-x_t3}
    vmov weight, weight0_c0
    smuad c0t0, x_t0, weight
    smuad c0t1, x_t1, weight
    smuad c0t2, x_t2, weight
    smuad c0t3, x_t3, weight
    vmov weight, weight0_c1
    smuad c1t0, x_t0, weight
    smuad c1t1, x_t1, weight
    smuad c1t2, x_t2, weight
    smuad c1t3, x_t3, weight
    ldm.w v_at!, {x_t0-x_t3}
    vmov weight, weight1_c0
    smlad c0t0, x_t0, weight, c0t0
    smlad c0t1, x_t1, weight, c0t1
    smlad c0t2, x_t2, weight, c0t2
    smlad c0t3, x_t3, weight, c0t3
    vmov weight, weight1_c1
    smlad c1t0, x_t0, weight, c1t0
    smlad c1t1, x_t1, weight, c1t1
    smlad c1t2, x_t2, weight, c1t2
    smlad c1t3, x_t3, weight, c1t3
    vmov m_at, m_kept
    str.w c0t0, [m_at], #32
    str c0t1, [m_at, #-28]
    str c0t2, [m_at, #-24]
    str c0t3, [m_at, #-20]
    str c1t0, [m_at, #-16]
    str c1t1, [m_at, #-12]
    str c1t2, [m_at, #-8]
    str c1t3, [m_at, #-4]
    vmov m_kept, m_at
    vmov component_end, component_end_kept
    ldrd m_end, step, [sp, #12]
    cmp.w m_at, m_end
    bne.w 9b
    add.w m_end, m_end, #1152
    ldrd v_at, pairs_left, [sp, #20]
    str.w m_end, [sp, #12]
    subs.w pairs_left, pairs_left, #1
    str.w pairs_left, [sp, #24]
    bne.w 9b
    add.w sp, sp, #32
    pop {r4-r11, pc}
    .unreq v
    .unreq w
    .unreq m
    .unreq count
    .unreq component
    .unreq c0t0
    .unreq c0t1
    .unreq c0t2
    .unreq c0t3
    .unreq c1t0
    .unreq c1t1
    .unreq c1t2
    .unreq c1t3
    .unreq m_at
    .unreq component_end
    .unreq m_end
    .unreq count_kept
    .unreq x_t0
    .unreq x_t1
    .unreq x_t2
    .unreq x_t3
    .unreq step
    .unreq weight
    .unreq w_at
    .unreq pairs_left
    .unreq v_at
    .unreq weight0_c0
    .unreq weight0_c1
    .unreq weight1_c0
    .unreq weight1_c1
    .unreq m_kept
    .unreq component_end_kept
    .size cm4t_winograd_product_78f30e58, . - cm4t_winograd_product_78f30e58
    .popsection

@ void cm4t_winograd_output_01da3795(const int32_t *m, const int32_t *table, int16_t *o, int32_t count);
@ 612 bytes, the largest loop 576
    .syntax unified
    .thumb
    .pushsection .text.cm4t_winograd_output_01da3795,"ax",%progbits
    .balign 32
    .global cm4t_winograd_output_01da3795
    .type cm4t_winograd_output_01da3795, %function
    .thumb_func
cm4t_winograd_output_01da3795:
m                    .req r0   @ argument: the tile's place in slice 0 of the channel
table                .req r1   @ argument: the next channel's parameters
o                    .req r2   @ argument: the channel's first result
count                .req r3   @ argument: channels
entry                .req r0   @ see table
place                .req r0   @ the rows' first result
iterations           .req r1   @ iterations of a loop left
hop                  .req r1   @ bytes to the next channel and one pair more
left                 .req r1   @ channels left
mantissa             .req r2   @ of the channel
rounding             .req r3   @ of the channel
u0                   .req r4   @ values of a row or column
u1                   .req r5   @ values of a row or column
u2                   .req r6   @ values of a row or column
u3                   .req r7   @ values of a row or column
u4                   .req r8   @ values of a row or column
u5                   .req r9   @ values of a row or column
u6                   .req r10  @ values of a row or column
end                  .req r4   @ end of the rows on the stack
rows                 .req lr   @ transformed columns, on the stack
m_kept               .req s0   @ see m
table_kept           .req s1   @ see table
place_kept           .req s2   @ see place
left_kept            .req s3   @ see left
hop_kept             .req s4   @ see hop
    push {r4-r11, lr}
    sub.w sp, sp, #96
    vmov table_kept, table
    vmov place_kept, o
    vmov left_kept, count
    movw hop, #1136
    vmov hop_kept, hop
9:
    mov.w rows, sp
    mov.w iterations, #2
8:
    ldr.w u0, [m, #0]
    ldr.w u1, [m, #32]
    ldr.w u2, [m, #64]
    ldr.w u3, [m, #96]
    ldr.w u4, [m, #128]
    ldr.w u5, [m, #160]
    add.w u6, u1, u2
    sub.w u1, u1, u2
    add.w u2, u3, u4
    sub.w u3, u3, u4
    add.w u0, u0, u6
    add.w u0, u0, u2
    add.w u4, u1, u3, lsl #1
    add.w u6, u6, u2, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u5, u1, u5, lsl #2
    str.w u0, [rows, #0]
    str.w u4, [rows, #24]
    str.w u6, [rows, #48]
    str.w u5, [rows, #72]
    ldr.w u0, [m, #192]
    ldr.w u1, [m, #224]
    ldr.w u2, [m, #256]
    ldr.w u3, [m, #288]
    ldr.w u4, [m, #320]
    ldr.w u5, [m, #352]
    add.w u6, u1, u2
    sub.w u1, u1, u2
    add.w u2, u3, u4
    sub.w u3, u3, u4
    add.w u0, u0, u6
    add.w u0, u0, u2
    add.w u4, u1, u3, lsl #1
    add.w u6, u6, u2, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u5, u1, u5, lsl #2
    str.w u0, [rows, #4]
    str.w u4, [rows, #28]
    str.w u6, [rows, #52]
    str.w u5, [rows, #76]
    ldr.w u0, [m, #384]
    ldr.w u1, [m, #416]
    ldr.w u2, [m, #448]
    ldr.w u3, [m, #480]
    ldr.w u4, [m, #512]
    ldr.w u5, [m, #544]
    add.w u6, u1, u2
    sub.w u1, u1, u2
    add.w u2, u3, u4
    sub.w u3, u3, u4
    add.w u0, u0, u6
    add.w u0, u0, u2
    add.w u4, u1, u3, lsl #1
    add.w u6, u6, u2, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u5, u1, u5, lsl #2
    add.w m, m, #576
    str.w u0, [rows, #8]
    str.w u4, [rows, #32]
    str.w u6, [rows, #56]
    str.w u5, [rows, #80]
    add.w rows, rows, #12
    subs.w iterations, iterations, #1
    bne.w 8b
    vmov hop, hop_kept
    sub.w m, m, hop
    rsb.w hop, hop, #1152
    vmov hop_kept, hop
    vmov m_kept, m
    vmov entry, table_kept
    ldm.w entry!, {mantissa, rounding}
    vmov table_kept, entry
    vmov place, place_kept
7:
    ldr u0, [rows, #-24]
    ldr u1, [rows, #-20]
    ldr u2, [rows, #-16]
    ldr u3, [rows, #-12]
    ldr u4, [rows, #-8]
    ldr u5, [rows, #-4]
    add.w u6, u1, u2
    sub.w u1, u1, u2
    add.w u2, u3, u4
    sub.w u3, u3, u4
    add.w u0, u0, u6
    add.w u0, u0, u2
    add.w u4, u1, u3, lsl #1
    add.w u6, u6, u2, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u5, u1, u5, lsl #2
    smmlar u0, u0, mantissa, rounding
    usat u0, #8, u0, asr #17
    smmlar u4, u4, mantissa, rounding
    usat u4, #8, u4, asr #17
    smmlar u6, u6, mantissa, rounding
    usat u6, #8, u6, asr #17
    smmlar u5, u5, mantissa, rounding
    usat u5, #8, u5, asr #17
    strh.w u0, [place, #0]
    strh.w u4, [place, #4]
    strh.w u6, [place, #8]
    strh.w u5, [place, #12]
    ldr.w u0, [rows, #0]
    ldr.w u1, [rows, #4]
    ldr.w u2, [rows, #8]
    ldr.w u3, [rows, #12]
    ldr.w u4, [rows, #16]
    ldr.w u5, [rows, #20]
    add.w u6, u1, u2
    sub.w u1, u1, u2
    add.w u2, u3, u4
    sub.w u3, u3, u4
    add.w u0, u0, u6
    add.w u0, u0, u2
    add.w u4, u1, u3, lsl #1
    add.w u6, u6, u2, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u5, u1, u5, lsl #2
    smmlar u0, u0, mantissa, rounding
    usat u0, #8, u0, asr #17
    smmlar u4, u4, mantissa, rounding
    usat u4, #8, u4, asr #17
    smmlar u6, u6, mantissa, rounding
    usat u6, #8, u6, asr #17
    smmlar u5, u5, mantissa, rounding
    usat u5, #8, u5, asr #17
    strh.w u0, [place, #32]
    strh.w u4, [place, #36]
    strh.w u6, [place, #40]
    strh.w u5, [place, #44]
    add.w place, place, #64
    add.w end, sp, #72
    cmp.w rows, end
    add.w rows, rows, #48
    bne.w 7b
    vmov place, place_kept
    add.w place, place, #2
    vmov place_kept, place
    vmov left, left_kept
    subs.w left, left, #1
    vmov left_kept, left
    vmov m, m_kept
    bne.w 9b
    add.w sp, sp, #96
    pop {r4-r11, pc}
    .unreq m
    .unreq table
    .unreq o
    .unreq count
    .unreq entry
    .unreq place
    .unreq iterations
    .unreq hop
    .unreq left
    .unreq mantissa
    .unreq rounding
    .unreq u0
    .unreq u1
    .unreq u2
    .unreq u3
    .unreq u4
    .unreq u5
    .unreq u6
    .unreq end
    .unreq rows
    .unreq m_kept
    .unreq table_kept
    .unreq place_kept
    .unreq left_kept
    .unreq hop_kept
    .size cm4t_winograd_output_01da3795, . - cm4t_winograd_output_01da3795
    .popsection

@ -----------------------------------------------------------------------------
@ CONV_2D 3x3, stride 1, output 8x8x2, 36 input channels, no activation; candidate: winograd 4x4 t4 ram

@ void cm4t_winograd_input_523a0b51(const int16_t *x, int32_t *v);
@ 856 bytes, the largest loop 824
    .syntax unified
    .thumb
    .pushsection .text.cm4t_winograd_input_523a0b51,"ax",%progbits
    .balign 32
    .global cm4t_winograd_input_523a0b51
    .type cm4t_winograd_input_523a0b51, %function
    .thumb_func
cm4t_winograd_input_523a0b51:
x                    .req r0   @ argument: the tile's upper left corner
v                    .req r1   @ argument: the tile's place in slice 0 of V
u0                   .req r0   @ values of a row or column, two channels each
u1                   .req r1   @ values of a row or column, two channels each
u2                   .req r2   @ values of a row or column, two channels each
u3                   .req r3   @ values of a row or column, two channels each
u4                   .req r4   @ values of a row or column, two channels each
u5                   .req r5   @ values of a row or column, two channels each
u6                   .req r6   @ values of a row or column, two channels each
u7                   .req r7   @ values of a row or column, two channels each
source               .req r9   @ the next row, two channels
patch                .req r10  @ transformed rows, on the stack
target               .req r11  @ where the results go
pairs                .req lr   @ pairs of channels left
iterations           .req lr   @ iterations of a loop left
pairs_kept           .req s0   @ see pairs
    push {r4-r11, lr}
    sub.w sp, sp, #144
    mov.w target, v
    mov.w source, x
    movw pairs, #18
    vmov pairs_kept, pairs
9:
    mov.w patch, sp
    mov.w iterations, #2
8:
    ldr.w u0, [source, #0]
    ldr.w u1, [source, #72]
    ldr.w u2, [source, #144]
    ldr.w u3, [source, #216]
    ldr.w u4, [source, #288]
    ldr.w u5, [source, #360]
    lsl.w u6, u2, #2
    ssub16 u6, u4, u6
    lsl.w u7, u0, #2
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    lsl.w u7, u1, #2
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    add.w source, source, #720
    str.w u0, [patch, #0]
    str.w u2, [patch, #4]
    str.w u6, [patch, #8]
    str.w u3, [patch, #12]
    str.w u4, [patch, #16]
    str.w u5, [patch, #20]
    ldr.w u0, [source, #0]
    ldr.w u1, [source, #72]
    ldr.w u2, [source, #144]
    ldr.w u3, [source, #216]
    ldr.w u4, [source, #288]
    ldr.w u5, [source, #360]
    lsl.w u6, u2, #2
    ssub16 u6, u4, u6
    lsl.w u7, u0, #2
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    lsl.w u7, u1, #2
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    add.w source, source, #720
    str.w u0, [patch, #24]
    str.w u2, [patch, #28]
    str.w u6, [patch, #32]
    str.w u3, [patch, #36]
    str.w u4, [patch, #40]
    str.w u5, [patch, #44]
    ldr.w u0, [source, #0]
    ldr.w u1, [source, #72]
    ldr.w u2, [source, #144]
    ldr.w u3, [source, #216]
    ldr.w u4, [source, #288]
    ldr.w u5, [source, #360]
    lsl.w u6, u2, #2
    ssub16 u6, u4, u6
    lsl.w u7, u0, #2
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    lsl.w u7, u1, #2
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    add.w source, source, #720
    str.w u0, [patch, #48]
    str.w u2, [patch, #52]
    str.w u6, [patch, #56]
    str.w u3, [patch, #60]
    str.w u4, [patch, #64]
    str.w u5, [patch, #68]
    add.w patch, patch, #72
    subs.w iterations, iterations, #1
    bne.w 8b
    mov.w patch, sp
    mov.w iterations, #2
7:
    ldr.w u0, [patch, #0]
    ldr.w u1, [patch, #24]
    ldr.w u2, [patch, #48]
    ldr.w u3, [patch, #72]
    ldr.w u4, [patch, #96]
    ldr.w u5, [patch, #120]
    sadd16 u6, u2, u2
    sadd16 u6, u6, u6
    ssub16 u6, u4, u6
    sadd16 u7, u0, u0
    sadd16 u7, u7, u7
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    sadd16 u7, u1, u1
    sadd16 u7, u7, u7
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    str.w u0, [target, #0]
    str.w u2, [target, #288]
    str.w u6, [target, #576]
    str.w u3, [target, #864]
    str.w u4, [target, #1152]
    str.w u5, [target, #1440]
    ldr.w u0, [patch, #4]
    ldr.w u1, [patch, #28]
    ldr.w u2, [patch, #52]
    ldr.w u3, [patch, #76]
    ldr.w u4, [patch, #100]
    ldr.w u5, [patch, #124]
    sadd16 u6, u2, u2
    sadd16 u6, u6, u6
    ssub16 u6, u4, u6
    sadd16 u7, u0, u0
    sadd16 u7, u7, u7
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    sadd16 u7, u1, u1
    sadd16 u7, u7, u7
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    str.w u0, [target, #1728]
    str.w u2, [target, #2016]
    str.w u6, [target, #2304]
    str.w u3, [target, #2592]
    str.w u4, [target, #2880]
    str.w u5, [target, #3168]
    ldr.w u0, [patch, #8]
    ldr.w u1, [patch, #32]
    ldr.w u2, [patch, #56]
    ldr.w u3, [patch, #80]
    ldr.w u4, [patch, #104]
    ldr.w u5, [patch, #128]
    sadd16 u6, u2, u2
    sadd16 u6, u6, u6
    ssub16 u6, u4, u6
    sadd16 u7, u0, u0
    sadd16 u7, u7, u7
    sadd16 u7, u7, u6
    ssub16 u0, u7, u2
    ssub16 u4, u4, u2
    sadd16 u7, u1, u1
    sadd16 u7, u7, u7
    ssub16 u7, u3, u7
    sadd16 u2, u6, u7
    ssub16 u6, u6, u7
    ssub16 u1, u3, u1
    ssub16 u5, u5, u3
    sadd16 u1, u1, u1
    sadd16 u3, u4, u1
    ssub16 u4, u4, u1
    sadd16 u1, u1, u1
    ssub16 u5, u5, u1
    str.w u0, [target, #3456]
    str.w u2, [target, #3744]
    str.w u6, [target, #4032]
    add.w target, target, #4320
    str.w u3, [target, #0]
    str.w u4, [target, #288]
    str.w u5, [target, #576]
    add.w target, target, #864
    add.w patch, patch, #12
    subs.w iterations, iterations, #1
    bne.w 7b
    sub.w target, target, #10304
    sub.w target, target, #48
    sub.w source, source, #4288
    sub.w source, source, #28
    vmov pairs, pairs_kept
    subs.w pairs, pairs, #1
    vmov pairs_kept, pairs
    bne.w 9b
    add.w sp, sp, #144
    pop {r4-r11, pc}
    .unreq x
    .unreq v
    .unreq u0
    .unreq u1
    .unreq u2
    .unreq u3
    .unreq u4
    .unreq u5
    .unreq u6
    .unreq u7
    .unreq source
    .unreq patch
    .unreq target
    .unreq pairs
    .unreq iterations
    .unreq pairs_kept
    .size cm4t_winograd_input_523a0b51, . - cm4t_winograd_input_523a0b51
    .popsection

@ void cm4t_winograd_product_7ccba78e(const int32_t *v, const int32_t *w, int32_t *m, int32_t pairs);
@ 644 bytes, the largest loop 608
    .syntax unified
    .thumb
    .pushsection .text.cm4t_winograd_product_7ccba78e,"ax",%progbits
    .balign 32
    .global cm4t_winograd_product_7ccba78e
    .type cm4t_winograd_product_7ccba78e, %function
    .thumb_func
cm4t_winograd_product_7ccba78e:
v                    .req r0   @ argument: transformed input
w                    .req r1   @ argument: transformed weights
m                    .req r2   @ argument: products
count                .req r3   @ argument: pairs of output channels; quads if there are several groups
c0t0                 .req r0   @ sum of output channel c and tile t
c0t1                 .req r1   @ sum of output channel c and tile t
c0t2                 .req r2   @ sum of output channel c and tile t
c0t3                 .req r3   @ sum of output channel c and tile t
c1t0                 .req r4   @ sum of output channel c and tile t
c1t1                 .req r5   @ sum of output channel c and tile t
c1t2                 .req r6   @ sum of output channel c and tile t
c1t3                 .req r7   @ sum of output channel c and tile t
m_at                 .req r8   @ where the quad's products go
m_end                .req r10  @ end of the channel pair's part of M
w_c0                 .req r8   @ two weights of an output channel
w_c1                 .req r9   @ two weights of an output channel
x_even               .req r10  @ two input channels of a tile
x_odd                .req r11  @ two input channels of the next tile
dot_end              .req r8   @ end of the quad in V
pairs_left           .req r8   @ pairs of output channels left
v_at                 .req r12  @ the next words of V
w_at                 .req lr   @ the next weights
m_kept               .req s0   @ see m_at
dot_end_kept         .req s2   @ see dot_end
m_end_kept           .req s3   @ see m_end
v_start              .req s5   @ start of V
pairs_left_kept      .req s6   @ see pairs_left
    push {r4-r11, lr}
    vmov v_start, v
    vmov pairs_left_kept, count
    add.w m_end, m, #1152
    mov.w v_at, v
    mov.w w_at, w
    vmov m_kept, m
    vmov m_end_kept, m_end
9:
    mov.w c0t0, #0
    mov.w c0t1, #0
    mov.w c0t2, #0
    mov.w c0t3, #0
    mov.w c1t0, #0
    mov.w c1t1, #0
    mov.w c1t2, #0
    mov.w c1t3, #0
    add.w dot_end, v_at, #288
    vmov dot_end_kept, dot_end
7:
    ldr.w w_c0, [w_at, #0]
    ldr.w w_c1, [w_at, #4]
    ldr.w x_even, [v_at, #0]
    ldr.w x_odd, [v_at, #4]
    smlad c0t0, x_even, w_c0, c0t0
    smlad c1t0, x_even, w_c1, c1t0
    smlad c0t1, x_odd, w_c0, c0t1
    smlad c1t1, x_odd, w_c1, c1t1
    ldrd x_even, x_odd, [v_at, #8]
    smlad c0t2, x_even, w_c0, c0t2
    smlad c1t2, x_even, w_c1, c1t2
    smlad c0t3, x_odd, w_c0, c0t3
    smlad c1t3, x_odd, w_c1, c1t3
    ldr.w w_c0, [w_at, #8]
    ldr.w w_c1, [w_at, #12]
    ldr.w x_even, [v_at, #16]
    ldr.w x_odd, [v_at, #20]
    smlad c0t0, x_even, w_c0, c0t0
    smlad c1t0, x_even, w_c1, c1t0
    smlad c0t1, x_odd, w_c0, c0t1
    smlad c1t1, x_odd, w_c1, c1t1
    ldrd x_even, x_odd, [v_at, #24]
    smlad c0t2, x_even, w_c0, c0t2
    smlad c1t2, x_even, w_c1, c1t2
    smlad c0t3, x_odd, w_c0, c0t3
    smlad c1t3, x_odd, w_c1, c1t3
    ldr.w w_c0, [w_at, #16]
    ldr.w w_c1, [w_at, #20]
    ldr.w x_even, [v_at, #32]
    ldr.w x_odd, [v_at, #36]
    smlad c0t0, x_even, w_c0, c0t0
    smlad c1t0, x_even, w_c1, c1t0
    smlad c0t1, x_odd, w_c0, c0t1
    smlad c1t1, x_odd, w_c1, c1t1
    ldrd x_even, x_odd, [v_at, #40]
    smlad c0t2, x_even, w_c0, c0t2
    smlad c1t2, x_even, w_c1, c1t2
    smlad c0t3, x_odd, w_c0, c0t3
    smlad c1t3, x_odd, w_c1, c1t3
    ldr.w w_c0, [w_at, #24]
    ldr.w w_c1, [w_at, #28]
    ldr.w x_even, [v_at, #48]
    ldr.w x_odd, [v_at, #52]
    smlad c0t0, x_even, w_c0, c0t0
    smlad c1t0, x_even, w_c1, c1t0
    smlad c0t1, x_odd, w_c0, c0t1
    smlad c1t1, x_odd, w_c1, c1t1
    ldrd x_even, x_odd, [v_at, #56]
    smlad c0t2, x_even, w_c0, c0t2
    smlad c1t2, x_even, w_c1, c1t2
    smlad c0t3, x_odd, w_c0, c0t3
    smlad c1t3, x_odd, w_c1, c1t3
    ldr.w w_c0, [w_at, #32]
    ldr.w w_c1, [w_at, #36]
    ldr.w x_even, [v_at, #64]
    ldr.w x_odd, [v_at, #68]
    smlad c0t0, x_even, w_c0, c0t0
    smlad c1t0, x_even, w_c1, c1t0
    smlad c0t1, x_odd, w_c0, c0t1
    smlad c1t1, x_odd, w_c1, c1t1
    ldrd x_even, x_odd, [v_at, #72]
    smlad c0t2, x_even, w_c0, c0t2
    smlad c1t2, x_even, w_c1, c1t2
    smlad c0t3, x_odd, w_c0, c0t3
    smlad c1t3, x_odd, w_c1, c1t3
    ldr.w w_c0, [w_at, #40]
    ldr.w w_c1, [w_at, #44]
    ldr.w x_even, [v_at, #80]
    ldr.w x_odd, [v_at, #84]
    smlad c0t0, x_even, w_c0, c0t0
    smlad c1t0, x_even, w_c1, c1t0
    smlad c0t1, x_odd, w_c0, c0t1
    smlad c1t1, x_odd, w_c1, c1t1
    ldrd x_even, x_odd, [v_at, #88]
    smlad c0t2, x_even, w_c0, c0t2
    smlad c1t2, x_even, w_c1, c1t2
    smlad c0t3, x_odd, w_c0, c0t3
    smlad c1t3, x_odd, w_c1, c1t3
    ldr.w w_c0, [w_at, #48]
    ldr.w w_c1, [w_at, #52]
    ldr.w x_even, [v_at, #96]
    ldr.w x_odd, [v_at, #100]
    smlad c0t0, x_even, w_c0, c0t0
    smlad c1t0, x_even, w_c1, c1t0
    smlad c0t1, x_odd, w_c0, c0t1
    smlad c1t1, x_odd, w_c1, c1t1
    ldrd x_even, x_odd, [v_at, #104]
    smlad c0t2, x_even, w_c0, c0t2
    smlad c1t2, x_even, w_c1, c1t2
    smlad c0t3, x_odd, w_c0, c0t3
    smlad c1t3, x_odd, w_c1, c1t3
    ldr.w w_c0, [w_at, #56]
    ldr.w w_c1, [w_at, #60]
    ldr.w x_even, [v_at, #112]
    ldr.w x_odd, [v_at, #116]
    smlad c0t0, x_even, w_c0, c0t0
    smlad c1t0, x_even, w_c1, c1t0
    smlad c0t1, x_odd, w_c0, c0t1
    smlad c1t1, x_odd, w_c1, c1t1
    ldrd x_even, x_odd, [v_at, #120]
    smlad c0t2, x_even, w_c0, c0t2
    smlad c1t2, x_even, w_c1, c1t2
    smlad c0t3, x_odd, w_c0, c0t3
    smlad c1t3, x_odd, w_c1, c1t3
    ldr.w w_c0, [w_at, #64]
    ldr.w w_c1, [w_at, #68]
    ldr.w x_even, [v_at, #128]
    ldr.w x_odd, [v_at, #132]
    smlad c0t0, x_even, w_c0, c0t0
    smlad c1t0, x_even, w_c1, c1t0
    smlad c0t1, x_odd, w_c0, c0t1
    smlad c1t1, x_odd, w_c1, c1t1
    ldrd x_even, x_odd, [v_at, #136]
    smlad c0t2, x_even, w_c0, c0t2
    smlad c1t2, x_even, w_c1, c1t2
    smlad c0t3, x_odd, w_c0, c0t3
    smlad c1t3, x_odd, w_c1, c1t3
    add.w v_at, v_at, #144
    add.w w_at, w_at, #72
    vmov dot_end, dot_end_kept
    cmp.w v_at, dot_end
    bne.w 7b
    vmov m_at, m_kept
    str.w c0t0, [m_at], #32
    str c0t1, [m_at, #-28]
    str c0t2, [m_at, #-24]
    str c0t3, [m_at, #-20]
    str c1t0, [m_at, #-16]
    str c1t1, [m_at, #-12]
    str c1t2, [m_at, #-8]
    str c1t3, [m_at, #-4]
    vmov m_kept, m_at
    vmov m_end, m_end_kept
    cmp.w m_at, m_end
    bne.w 9b
    add.w m_end, m_end, #1152
    vmov m_end_kept, m_end
    vmov v_at, v_start
    vmov pairs_left, pairs_left_kept
    subs.w pairs_left, pairs_left, #1
    vmov pairs_left_kept, pairs_left
    bne.w 9b
    pop {r4-r11, pc}
    .unreq v
    .unreq w
    .unreq m
    .unreq count
    .unreq c0t0
    .unreq c0t1
    .unreq c0t2
    .unreq c0t3
    .unreq c1t0
    .unreq c1t1
    .unreq c1t2
    .unreq c1t3
    .unreq m_at
    .unreq m_end
    .unreq w_c0
    .unreq w_c1
    .unreq x_even
    .unreq x_odd
    .unreq dot_end
    .unreq pairs_left
    .unreq v_at
    .unreq w_at
    .unreq m_kept
    .unreq dot_end_kept
    .unreq m_end_kept
    .unreq v_start
    .unreq pairs_left_kept
    .size cm4t_winograd_product_7ccba78e, . - cm4t_winograd_product_7ccba78e
    .popsection

@ void cm4t_winograd_output_171e179a(const int32_t *m, const int32_t *table, int16_t *o, int32_t count);
@ 780 bytes, the largest loop 736
    .syntax unified
    .thumb
    .pushsection .text.cm4t_winograd_output_171e179a,"ax",%progbits
    .balign 32
    .global cm4t_winograd_output_171e179a
    .type cm4t_winograd_output_171e179a, %function
    .thumb_func
cm4t_winograd_output_171e179a:
m                    .req r0   @ argument: the tile's place in slice 0 of the channel
table                .req r1   @ argument: the next channel's parameters
o                    .req r2   @ argument: the channel's first result
count                .req r3   @ argument: channels
entry                .req r0   @ see table
place                .req r0   @ the rows' first result
iterations           .req r1   @ iterations of a loop left
hop                  .req r1   @ bytes to the next channel and one pair more
left                 .req r1   @ channels left
bias                 .req r1   @ of the channel, doubled; long form
mantissa             .req r2   @ of the channel
rounding             .req r3   @ of the channel
u0                   .req r4   @ values of a row or column
u1                   .req r5   @ values of a row or column
u2                   .req r6   @ values of a row or column
u3                   .req r7   @ values of a row or column
u4                   .req r8   @ values of a row or column
u5                   .req r9   @ values of a row or column
u6                   .req r10  @ values of a row or column
end                  .req r4   @ end of the rows on the stack
factor               .req r11  @ what sums are multiplied by
shift                .req r12  @ of the channel; long form
rows                 .req lr   @ transformed columns, on the stack
m_kept               .req s0   @ see m
table_kept           .req s1   @ see table
place_kept           .req s2   @ see place
left_kept            .req s3   @ see left
hop_kept             .req s4   @ see hop
    push {r4-r11, lr}
    sub.w sp, sp, #96
    vmov table_kept, table
    vmov place_kept, o
    vmov left_kept, count
    movw hop, #1136
    vmov hop_kept, hop
    movw factor, #36409
    movt factor, #14563
9:
    mov.w rows, sp
    mov.w iterations, #2
8:
    ldr.w u0, [m, #0]
    ldr.w u1, [m, #32]
    ldr.w u2, [m, #64]
    ldr.w u3, [m, #96]
    ldr.w u4, [m, #128]
    ldr.w u5, [m, #160]
    add.w u6, u1, u2
    sub.w u1, u1, u2
    add.w u2, u3, u4
    sub.w u3, u3, u4
    add.w u0, u0, u6
    add.w u0, u0, u2
    add.w u4, u1, u3, lsl #1
    add.w u6, u6, u2, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u5, u1, u5, lsl #2
    str.w u0, [rows, #0]
    str.w u4, [rows, #24]
    str.w u6, [rows, #48]
    str.w u5, [rows, #72]
    ldr.w u0, [m, #192]
    ldr.w u1, [m, #224]
    ldr.w u2, [m, #256]
    ldr.w u3, [m, #288]
    ldr.w u4, [m, #320]
    ldr.w u5, [m, #352]
    add.w u6, u1, u2
    sub.w u1, u1, u2
    add.w u2, u3, u4
    sub.w u3, u3, u4
    add.w u0, u0, u6
    add.w u0, u0, u2
    add.w u4, u1, u3, lsl #1
    add.w u6, u6, u2, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u5, u1, u5, lsl #2
    str.w u0, [rows, #4]
    str.w u4, [rows, #28]
    str.w u6, [rows, #52]
    str.w u5, [rows, #76]
    ldr.w u0, [m, #384]
    ldr.w u1, [m, #416]
    ldr.w u2, [m, #448]
    ldr.w u3, [m, #480]
    ldr.w u4, [m, #512]
    ldr.w u5, [m, #544]
    add.w u6, u1, u2
    sub.w u1, u1, u2
    add.w u2, u3, u4
    sub.w u3, u3, u4
    add.w u0, u0, u6
    add.w u0, u0, u2
    add.w u4, u1, u3, lsl #1
    add.w u6, u6, u2, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u5, u1, u5, lsl #2
    add.w m, m, #576
    str.w u0, [rows, #8]
    str.w u4, [rows, #32]
    str.w u6, [rows, #56]
    str.w u5, [rows, #80]
    add.w rows, rows, #12
    subs.w iterations, iterations, #1
    bne.w 8b
    vmov hop, hop_kept
    sub.w m, m, hop
    rsb.w hop, hop, #1152
    vmov hop_kept, hop
    vmov m_kept, m
    vmov entry, table_kept
    ldm.w entry!, {bias, mantissa, rounding, shift}
    vmov table_kept, entry
    vmov place, place_kept
7:
    ldr u0, [rows, #-24]
    ldr u1, [rows, #-20]
    ldr u2, [rows, #-16]
    ldr u3, [rows, #-12]
    ldr u4, [rows, #-8]
    ldr u5, [rows, #-4]
    add.w u6, u1, u2
    sub.w u1, u1, u2
    add.w u2, u3, u4
    sub.w u3, u3, u4
    add.w u0, u0, u6
    add.w u0, u0, u2
    add.w u4, u1, u3, lsl #1
    add.w u6, u6, u2, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u5, u1, u5, lsl #2
    mul u0, u0, factor
    add.w u0, bias, u0, asr #5
    smmlar u1, u0, mantissa, rounding
    add.w u0, u1, u0, asr #31
    asr.w u0, u0, shift
    ssat u0, #8, u0
    sub.w u0, u0, #5
    mul u4, u4, factor
    add.w u4, bias, u4, asr #5
    smmlar u1, u4, mantissa, rounding
    add.w u4, u1, u4, asr #31
    asr.w u4, u4, shift
    ssat u4, #8, u4
    sub.w u4, u4, #5
    mul u6, u6, factor
    add.w u6, bias, u6, asr #5
    smmlar u1, u6, mantissa, rounding
    add.w u6, u1, u6, asr #31
    asr.w u6, u6, shift
    ssat u6, #8, u6
    sub.w u6, u6, #5
    mul u5, u5, factor
    add.w u5, bias, u5, asr #5
    smmlar u1, u5, mantissa, rounding
    add.w u5, u1, u5, asr #31
    asr.w u5, u5, shift
    ssat u5, #8, u5
    sub.w u5, u5, #5
    strh.w u0, [place, #0]
    strh.w u4, [place, #4]
    strh.w u6, [place, #8]
    strh.w u5, [place, #12]
    ldr.w u0, [rows, #0]
    ldr.w u1, [rows, #4]
    ldr.w u2, [rows, #8]
    ldr.w u3, [rows, #12]
    ldr.w u4, [rows, #16]
    ldr.w u5, [rows, #20]
    add.w u6, u1, u2
    sub.w u1, u1, u2
    add.w u2, u3, u4
    sub.w u3, u3, u4
    add.w u0, u0, u6
    add.w u0, u0, u2
    add.w u4, u1, u3, lsl #1
    add.w u6, u6, u2, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u5, u1, u5, lsl #2
    mul u0, u0, factor
    add.w u0, bias, u0, asr #5
    smmlar u1, u0, mantissa, rounding
    add.w u0, u1, u0, asr #31
    asr.w u0, u0, shift
    ssat u0, #8, u0
    sub.w u0, u0, #5
    mul u4, u4, factor
    add.w u4, bias, u4, asr #5
    smmlar u1, u4, mantissa, rounding
    add.w u4, u1, u4, asr #31
    asr.w u4, u4, shift
    ssat u4, #8, u4
    sub.w u4, u4, #5
    mul u6, u6, factor
    add.w u6, bias, u6, asr #5
    smmlar u1, u6, mantissa, rounding
    add.w u6, u1, u6, asr #31
    asr.w u6, u6, shift
    ssat u6, #8, u6
    sub.w u6, u6, #5
    mul u5, u5, factor
    add.w u5, bias, u5, asr #5
    smmlar u1, u5, mantissa, rounding
    add.w u5, u1, u5, asr #31
    asr.w u5, u5, shift
    ssat u5, #8, u5
    sub.w u5, u5, #5
    strh.w u0, [place, #32]
    strh.w u4, [place, #36]
    strh.w u6, [place, #40]
    strh.w u5, [place, #44]
    add.w place, place, #64
    add.w end, sp, #72
    cmp.w rows, end
    add.w rows, rows, #48
    bne.w 7b
    vmov place, place_kept
    add.w place, place, #2
    vmov place_kept, place
    vmov left, left_kept
    subs.w left, left, #1
    vmov left_kept, left
    vmov m, m_kept
    bne.w 9b
    add.w sp, sp, #96
    pop {r4-r11, pc}
    .unreq m
    .unreq table
    .unreq o
    .unreq count
    .unreq entry
    .unreq place
    .unreq iterations
    .unreq hop
    .unreq left
    .unreq bias
    .unreq mantissa
    .unreq rounding
    .unreq u0
    .unreq u1
    .unreq u2
    .unreq u3
    .unreq u4
    .unreq u5
    .unreq u6
    .unreq end
    .unreq factor
    .unreq shift
    .unreq rows
    .unreq m_kept
    .unreq table_kept
    .unreq place_kept
    .unreq left_kept
    .unreq hop_kept
    .size cm4t_winograd_output_171e179a, . - cm4t_winograd_output_171e179a
    .popsection
