@ clear
@
@ Written by python tools/kernel_listings.py; a test holds it equal to what the generators write.
@ Operands are names; each function begins with its register allocation. Labels are numbers, 1b means the last 1 above.

@ -----------------------------------------------------------------------------
@ the border of 4x4x8

@ void cm4t_clear_6f592187(int16_t *o);
@ 328 bytes, the largest loop 0
    .syntax unified
    .thumb
    .pushsection .text.cm4t_clear_6f592187,"ax",%progbits
    .balign 32
    .global cm4t_clear_6f592187
    .type cm4t_clear_6f592187, %function
    .thumb_func
cm4t_clear_6f592187:
o                    .req r0   @ argument: the tensor; later: the plane
zero                 .req r1   @ 0
    mov.w zero, #0
    str.w zero, [o, #0]
    str.w zero, [o, #4]
    str.w zero, [o, #8]
    str.w zero, [o, #12]
    str.w zero, [o, #16]
    str.w zero, [o, #20]
    str.w zero, [o, #24]
    str.w zero, [o, #28]
    str.w zero, [o, #32]
    str.w zero, [o, #36]
    str.w zero, [o, #40]
    str.w zero, [o, #44]
    str.w zero, [o, #48]
    str.w zero, [o, #52]
    str.w zero, [o, #56]
    str.w zero, [o, #60]
    str.w zero, [o, #64]
    str.w zero, [o, #68]
    str.w zero, [o, #72]
    str.w zero, [o, #76]
    str.w zero, [o, #80]
    str.w zero, [o, #84]
    str.w zero, [o, #88]
    str.w zero, [o, #92]
    str.w zero, [o, #96]
    str.w zero, [o, #100]
    str.w zero, [o, #104]
    str.w zero, [o, #108]
    str.w zero, [o, #176]
    str.w zero, [o, #180]
    str.w zero, [o, #184]
    str.w zero, [o, #188]
    str.w zero, [o, #192]
    str.w zero, [o, #196]
    str.w zero, [o, #200]
    str.w zero, [o, #204]
    str.w zero, [o, #272]
    str.w zero, [o, #276]
    str.w zero, [o, #280]
    str.w zero, [o, #284]
    str.w zero, [o, #288]
    str.w zero, [o, #292]
    str.w zero, [o, #296]
    str.w zero, [o, #300]
    str.w zero, [o, #368]
    str.w zero, [o, #372]
    str.w zero, [o, #376]
    str.w zero, [o, #380]
    str.w zero, [o, #384]
    str.w zero, [o, #388]
    str.w zero, [o, #392]
    str.w zero, [o, #396]
    str.w zero, [o, #464]
    str.w zero, [o, #468]
    str.w zero, [o, #472]
    str.w zero, [o, #476]
    str.w zero, [o, #480]
    str.w zero, [o, #484]
    str.w zero, [o, #488]
    str.w zero, [o, #492]
    str.w zero, [o, #496]
    str.w zero, [o, #500]
    str.w zero, [o, #504]
    str.w zero, [o, #508]
    str.w zero, [o, #512]
    str.w zero, [o, #516]
    str.w zero, [o, #520]
    str.w zero, [o, #524]
    str.w zero, [o, #528]
    str.w zero, [o, #532]
    str.w zero, [o, #536]
    str.w zero, [o, #540]
    str.w zero, [o, #544]
    str.w zero, [o, #548]
    str.w zero, [o, #552]
    str.w zero, [o, #556]
    str.w zero, [o, #560]
    str.w zero, [o, #564]
    str.w zero, [o, #568]
    str.w zero, [o, #572]
    bx lr
    .unreq o
    .unreq zero
    .size cm4t_clear_6f592187, . - cm4t_clear_6f592187
    .popsection
