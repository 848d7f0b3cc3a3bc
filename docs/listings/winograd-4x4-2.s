@ winograd 4x4/2
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ CONV_2D 3x3, stride 2, output 8x8x2, 4 input channels, ReLU; candidate: winograd 4x4/2 t4 ram

@ void cm4t_winograd_input_10339995(const int16_t *x, int32_t *v);
@ 816 bytes, the largest loop 784
    .syntax unified
    .thumb
    .pushsection .text.cm4t_winograd_input_10339995,"ax",%progbits
    .balign 32
    .global cm4t_winograd_input_10339995
    .type cm4t_winograd_input_10339995, %function
    .thumb_func
cm4t_winograd_input_10339995:
x                    .req r0   @ argument: the tile's upper left corner
v                    .req r1   @ argument: the tile's place in slice 0 of V
u0                   .req r0   @ values of a row or column, two channels each
u1                   .req r1   @ values of a row or column, two channels each
u2                   .req r2   @ values of a row or column, two channels each
u3                   .req r3   @ values of a row or column, two channels each
u4                   .req r4   @ values of a row or column, two channels each
u5                   .req r5   @ values of a row or column, two channels each
u6                   .req r6   @ values of a row or column, two channels each
source               .req r9   @ the next row, two channels
patch                .req r10  @ transformed rows, on the stack
target               .req r11  @ where the results go
far                  .req r12  @ where those of odd rows or of a column go
pairs                .req lr   @ pairs of channels left
iterations           .req lr   @ iterations of a loop left
pairs_kept           .req s0   @ see pairs
    push {r4-r11, lr}
    sub.w sp, sp, #184
    mov.w target, v
    mov.w source, x
    movw pairs, #2
    vmov pairs_kept, pairs
9:
    mov.w patch, sp
    mov.w iterations, #5
8:
    ldr.w u0, [source, #8]
    ldr.w u1, [source, #24]
    ldr.w u2, [source, #40]
    ldr.w u3, [source, #56]
    str.w u0, [patch, #20]
    str.w u1, [patch, #24]
    str.w u2, [patch, #28]
    str.w u3, [patch, #32]
    ldr.w u0, [source, #0]
    ldr.w u1, [source, #16]
    ldr.w u2, [source, #32]
    ldr.w u3, [source, #48]
    ldr.w u4, [source, #64]
    ssub16 u5, u3, u1
    ssub16 u0, u0, u2
    sadd16 u0, u0, u0
    sadd16 u0, u0, u5
    ssub16 u4, u4, u2
    sadd16 u6, u5, u5
    ssub16 u4, u4, u6
    sadd16 u1, u1, u1
    ssub16 u3, u3, u2
    ssub16 u6, u3, u1
    sadd16 u3, u3, u1
    sadd16 u2, u2, u2
    ssub16 u3, u3, u2
    add.w source, source, #288
    str.w u0, [patch, #0]
    str.w u6, [patch, #4]
    str.w u3, [patch, #8]
    str.w u5, [patch, #12]
    str.w u4, [patch, #16]
    add.w patch, patch, #36
    subs.w iterations, iterations, #1
    bne.w 8b
    sub.w source, source, #1296
    add.w far, target, #1440
    mov.w iterations, #2
7:
    ldr.w u0, [source, #0]
    ldr.w u1, [source, #16]
    ldr.w u2, [source, #32]
    ldr.w u3, [source, #48]
    ldr.w u4, [source, #64]
    ssub16 u5, u3, u1
    ssub16 u0, u0, u2
    sadd16 u0, u0, u0
    sadd16 u0, u0, u5
    ssub16 u4, u4, u2
    sadd16 u6, u5, u5
    ssub16 u4, u4, u6
    sadd16 u1, u1, u1
    ssub16 u3, u3, u2
    ssub16 u6, u3, u1
    sadd16 u3, u3, u1
    sadd16 u2, u2, u2
    ssub16 u3, u3, u2
    str.w u0, [far, #0]
    str.w u6, [far, #128]
    str.w u3, [far, #256]
    str.w u5, [far, #384]
    str.w u4, [far, #512]
    ldr.w u0, [source, #8]
    ldr.w u1, [source, #24]
    ldr.w u2, [source, #40]
    ldr.w u3, [source, #56]
    str.w u0, [far, #640]
    str.w u1, [far, #768]
    str.w u2, [far, #896]
    str.w u3, [far, #1024]
    add.w far, far, #32
    add.w source, source, #288
    ldr.w u0, [source, #0]
    ldr.w u1, [source, #16]
    ldr.w u2, [source, #32]
    ldr.w u3, [source, #48]
    ldr.w u4, [source, #64]
    ssub16 u5, u3, u1
    ssub16 u0, u0, u2
    sadd16 u0, u0, u0
    sadd16 u0, u0, u5
    ssub16 u4, u4, u2
    sadd16 u6, u5, u5
    ssub16 u4, u4, u6
    sadd16 u1, u1, u1
    ssub16 u3, u3, u2
    ssub16 u6, u3, u1
    sadd16 u3, u3, u1
    sadd16 u2, u2, u2
    ssub16 u3, u3, u2
    str.w u0, [far, #0]
    str.w u6, [far, #128]
    str.w u3, [far, #256]
    str.w u5, [far, #384]
    str.w u4, [far, #512]
    ldr.w u0, [source, #8]
    ldr.w u1, [source, #24]
    ldr.w u2, [source, #40]
    ldr.w u3, [source, #56]
    str.w u0, [far, #640]
    str.w u1, [far, #768]
    str.w u2, [far, #896]
    str.w u3, [far, #1024]
    add.w far, far, #32
    add.w source, source, #288
    subs.w iterations, iterations, #1
    bne.w 7b
    subw source, source, #1292
    mov.w patch, sp
    mov.w far, target
    mov.w iterations, #5
6:
    ldr.w u0, [patch, #0]
    ldr.w u1, [patch, #36]
    ldr.w u2, [patch, #72]
    ldr.w u3, [patch, #108]
    ldr.w u4, [patch, #144]
    ssub16 u5, u3, u1
    ssub16 u0, u0, u2
    sadd16 u0, u0, u0
    sadd16 u0, u0, u5
    ssub16 u4, u4, u2
    sadd16 u6, u5, u5
    ssub16 u4, u4, u6
    sadd16 u1, u1, u1
    ssub16 u3, u3, u2
    ssub16 u6, u3, u1
    sadd16 u3, u3, u1
    sadd16 u2, u2, u2
    ssub16 u3, u3, u2
    str.w u0, [far, #0]
    str.w u6, [far, #32]
    str.w u3, [far, #64]
    str.w u5, [far, #96]
    str.w u4, [far, #128]
    add.w far, far, #160
    add.w patch, patch, #4
    subs.w iterations, iterations, #1
    bne.w 6b
    mov.w iterations, #2
5:
    ldr.w u0, [patch, #0]
    ldr.w u1, [patch, #36]
    ldr.w u2, [patch, #72]
    ldr.w u3, [patch, #108]
    ldr.w u4, [patch, #144]
    ssub16 u5, u3, u1
    ssub16 u0, u0, u2
    sadd16 u0, u0, u0
    sadd16 u0, u0, u5
    ssub16 u4, u4, u2
    sadd16 u6, u5, u5
    ssub16 u4, u4, u6
    sadd16 u1, u1, u1
    ssub16 u3, u3, u2
    ssub16 u6, u3, u1
    sadd16 u3, u3, u1
    sadd16 u2, u2, u2
    ssub16 u3, u3, u2
    str.w u0, [far, #0]
    str.w u6, [far, #128]
    str.w u3, [far, #256]
    str.w u5, [far, #384]
    str.w u4, [far, #512]
    add.w far, far, #32
    ldr.w u0, [patch, #4]
    ldr.w u1, [patch, #40]
    ldr.w u2, [patch, #76]
    ldr.w u3, [patch, #112]
    ldr.w u4, [patch, #148]
    ssub16 u5, u3, u1
    ssub16 u0, u0, u2
    sadd16 u0, u0, u0
    sadd16 u0, u0, u5
    ssub16 u4, u4, u2
    sadd16 u6, u5, u5
    ssub16 u4, u4, u6
    sadd16 u1, u1, u1
    ssub16 u3, u3, u2
    ssub16 u6, u3, u1
    sadd16 u3, u3, u1
    sadd16 u2, u2, u2
    ssub16 u3, u3, u2
    str.w u0, [far, #0]
    str.w u6, [far, #128]
    str.w u3, [far, #256]
    str.w u5, [far, #384]
    str.w u4, [far, #512]
    add.w far, far, #32
    add.w patch, patch, #8
    subs.w iterations, iterations, #1
    bne.w 5b
    add.w target, target, #16
    vmov pairs, pairs_kept
    subs.w pairs, pairs, #1
    vmov pairs_kept, pairs
    bne.w 9b
    add.w sp, sp, #184
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
    .unreq source
    .unreq patch
    .unreq target
    .unreq far
    .unreq pairs
    .unreq iterations
    .unreq pairs_kept
    .size cm4t_winograd_input_10339995, . - cm4t_winograd_input_10339995
    .popsection

@ void cm4t_winograd_product_6e410a6b(const int32_t *v, const int32_t *w, int32_t *m, int32_t quads, int32_t components);
@ 244 bytes, the largest loop 172
    .syntax unified
    .thumb
    .pushsection .text.cm4t_winograd_product_6e410a6b,"ax",%progbits
    .balign 32
    .global cm4t_winograd_product_6e410a6b
    .type cm4t_winograd_product_6e410a6b, %function
    .thumb_func
cm4t_winograd_product_6e410a6b:
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
v_at                 .req lr   @ the next words of V
weight0_c0           .req s0   @ weights of two input channels k, one output channel c
weight0_c1           .req s1   @ weights of two input channels k, one output channel c
weight1_c0           .req s2   @ weights of two input channels k, one output channel c
weight1_c1           .req s3   @ weights of two input channels k, one output channel c
m_kept               .req s4   @ see m_at, component_end
component_end_kept   .req s5   @ see m_at, component_end
    push {r4-r11, lr}
    mov.w count_kept, count
    ldr.w m_end, [sp, #36]
    lsl.w component, count, #5
    mul m_end, m_end, component
    add.w m_end, m, m_end
    add.w component_end, m, component
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
    cmp.w m_at, component_end
    bne.w 8b
    ldrd m_end, step, [sp, #12]
    add.w component_end, component_end, step
    vmov component_end_kept, component_end
    cmp.w m_at, m_end
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
    .unreq v_at
    .unreq weight0_c0
    .unreq weight0_c1
    .unreq weight1_c0
    .unreq weight1_c1
    .unreq m_kept
    .unreq component_end_kept
    .size cm4t_winograd_product_6e410a6b, . - cm4t_winograd_product_6e410a6b
    .popsection

@ void cm4t_winograd_output_edb24bf4(const int32_t *m, const int32_t *table, int16_t *o, int32_t count);
@ 760 bytes, the largest loop 724
    .syntax unified
    .thumb
    .pushsection .text.cm4t_winograd_output_edb24bf4,"ax",%progbits
    .balign 32
    .global cm4t_winograd_output_edb24bf4
    .type cm4t_winograd_output_edb24bf4, %function
    .thumb_func
cm4t_winograd_output_edb24bf4:
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
extra                .req r3   @ a product of an odd row, stride 2
u0                   .req r4   @ values of a row or column
u1                   .req r5   @ values of a row or column
u2                   .req r6   @ values of a row or column
u3                   .req r7   @ values of a row or column
u4                   .req r8   @ values of a row or column
u5                   .req r9   @ values of a row or column
u6                   .req r10  @ values of a row or column
end                  .req r4   @ end of the rows on the stack
odd_rows             .req r12  @ the next products of odd rows, stride 2
rows                 .req lr   @ transformed columns, on the stack
m_kept               .req s0   @ see m
table_kept           .req s1   @ see table
place_kept           .req s2   @ see place
left_kept            .req s3   @ see left
hop_kept             .req s4   @ see hop
    push {r4-r11, lr}
    sub.w sp, sp, #144
    vmov table_kept, table
    vmov place_kept, o
    vmov left_kept, count
    movw hop, #2576
    vmov hop_kept, hop
9:
    mov.w rows, sp
    mov.w iterations, #5
    add.w odd_rows, m, #1440
8:
    ldr.w u0, [m, #0]
    ldr.w u1, [m, #32]
    ldr.w u2, [m, #64]
    ldr.w u3, [m, #96]
    ldr.w u4, [m, #128]
    add.w u5, u1, u2
    sub.w u1, u1, u2
    add.w u0, u0, u5
    add.w u0, u0, u3
    add.w u2, u1, u3, lsl #1
    add.w u5, u5, u3, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u4, u4, u1
    ldr.w u1, [odd_rows, #0]
    ldr.w u3, [odd_rows, #32]
    ldr.w u6, [odd_rows, #64]
    ldr.w extra, [odd_rows, #96]
    add.w u0, u0, u1
    add.w u2, u2, u3
    add.w u5, u5, u6
    add.w u4, u4, extra
    add.w m, m, #160
    add.w odd_rows, odd_rows, #128
    str.w u0, [rows, #0]
    str.w u2, [rows, #36]
    str.w u5, [rows, #72]
    str.w u4, [rows, #108]
    add.w rows, rows, #4
    subs.w iterations, iterations, #1
    bne.w 8b
    mov.w iterations, #2
6:
    ldr.w u0, [m, #0]
    ldr.w u1, [m, #128]
    ldr.w u2, [m, #256]
    ldr.w u3, [m, #384]
    ldr.w u4, [m, #512]
    add.w u5, u1, u2
    sub.w u1, u1, u2
    add.w u0, u0, u5
    add.w u0, u0, u3
    add.w u2, u1, u3, lsl #1
    add.w u5, u5, u3, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u4, u4, u1
    ldr.w u1, [odd_rows, #0]
    ldr.w u3, [odd_rows, #32]
    ldr.w u6, [odd_rows, #64]
    ldr.w extra, [odd_rows, #96]
    add.w u0, u0, u1
    add.w u2, u2, u3
    add.w u5, u5, u6
    add.w u4, u4, extra
    add.w m, m, #32
    add.w odd_rows, odd_rows, #128
    str.w u0, [rows, #0]
    str.w u2, [rows, #36]
    str.w u5, [rows, #72]
    str.w u4, [rows, #108]
    add.w rows, rows, #4
    ldr.w u0, [m, #0]
    ldr.w u1, [m, #128]
    ldr.w u2, [m, #256]
    ldr.w u3, [m, #384]
    ldr.w u4, [m, #512]
    add.w u5, u1, u2
    sub.w u1, u1, u2
    add.w u0, u0, u5
    add.w u0, u0, u3
    add.w u2, u1, u3, lsl #1
    add.w u5, u5, u3, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u4, u4, u1
    ldr.w u1, [odd_rows, #0]
    ldr.w u3, [odd_rows, #32]
    ldr.w u6, [odd_rows, #64]
    ldr.w extra, [odd_rows, #96]
    add.w u0, u0, u1
    add.w u2, u2, u3
    add.w u5, u5, u6
    add.w u4, u4, extra
    add.w m, m, #32
    add.w odd_rows, odd_rows, #128
    str.w u0, [rows, #0]
    str.w u2, [rows, #36]
    str.w u5, [rows, #72]
    str.w u4, [rows, #108]
    add.w rows, rows, #4
    subs.w iterations, iterations, #1
    bne.w 6b
    mov.w m, odd_rows
    vmov hop, hop_kept
    sub.w m, m, hop
    rsb.w hop, hop, #2592
    vmov hop_kept, hop
    vmov m_kept, m
    vmov entry, table_kept
    ldm.w entry!, {mantissa, rounding}
    vmov table_kept, entry
    vmov place, place_kept
7:
    ldr u0, [rows, #-36]
    ldr u1, [rows, #-32]
    ldr u2, [rows, #-28]
    ldr u3, [rows, #-24]
    ldr u4, [rows, #-20]
    ldr u6, [rows, #-16]
    add.w u5, u1, u2
    sub.w u1, u1, u2
    add.w u0, u0, u5
    add.w u0, u0, u3
    add.w u2, u1, u3, lsl #1
    add.w u5, u5, u3, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u4, u4, u1
    add.w u0, u0, u6
    ldr u1, [rows, #-12]
    ldr u3, [rows, #-8]
    ldr u6, [rows, #-4]
    add.w u2, u2, u1
    add.w u5, u5, u3
    add.w u4, u4, u6
    smmlar u0, u0, mantissa, rounding
    usat u0, #8, u0, asr #13
    smmlar u2, u2, mantissa, rounding
    usat u2, #8, u2, asr #13
    smmlar u5, u5, mantissa, rounding
    usat u5, #8, u5, asr #13
    smmlar u4, u4, mantissa, rounding
    usat u4, #8, u4, asr #13
    strh.w u0, [place, #0]
    strh.w u2, [place, #4]
    strh.w u5, [place, #8]
    strh.w u4, [place, #12]
    ldr.w u0, [rows, #0]
    ldr.w u1, [rows, #4]
    ldr.w u2, [rows, #8]
    ldr.w u3, [rows, #12]
    ldr.w u4, [rows, #16]
    ldr.w u6, [rows, #20]
    add.w u5, u1, u2
    sub.w u1, u1, u2
    add.w u0, u0, u5
    add.w u0, u0, u3
    add.w u2, u1, u3, lsl #1
    add.w u5, u5, u3, lsl #2
    add.w u1, u1, u3, lsl #3
    add.w u4, u4, u1
    add.w u0, u0, u6
    ldr.w u1, [rows, #24]
    ldr.w u3, [rows, #28]
    ldr.w u6, [rows, #32]
    add.w u2, u2, u1
    add.w u5, u5, u3
    add.w u4, u4, u6
    smmlar u0, u0, mantissa, rounding
    usat u0, #8, u0, asr #13
    smmlar u2, u2, mantissa, rounding
    usat u2, #8, u2, asr #13
    smmlar u5, u5, mantissa, rounding
    usat u5, #8, u5, asr #13
    smmlar u4, u4, mantissa, rounding
    usat u4, #8, u4, asr #13
    strh.w u0, [place, #32]
    strh.w u2, [place, #36]
    strh.w u5, [place, #40]
    strh.w u4, [place, #44]
    add.w place, place, #64
    add.w end, sp, #108
    cmp.w rows, end
    add.w rows, rows, #72
    bne.w 7b
    vmov place, place_kept
    add.w place, place, #2
    vmov place_kept, place
    vmov left, left_kept
    subs.w left, left, #1
    vmov left_kept, left
    vmov m, m_kept
    bne.w 9b
    add.w sp, sp, #144
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
    .unreq extra
    .unreq u0
    .unreq u1
    .unreq u2
    .unreq u3
    .unreq u4
    .unreq u5
    .unreq u6
    .unreq end
    .unreq odd_rows
    .unreq rows
    .unreq m_kept
    .unreq table_kept
    .unreq place_kept
    .unreq left_kept
    .unreq hop_kept
    .size cm4t_winograd_output_edb24bf4, . - cm4t_winograd_output_edb24bf4
    .popsection
