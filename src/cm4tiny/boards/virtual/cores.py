# SPDX-License-Identifier: Apache-2.0
"""The cores that the virtual chip can have: what unicorn calls them, what their registers answer, and which instructions tell them apart.

Sources of the registers: the technical reference manuals DDI0439 (Cortex-M4), DDI0489 (M7), 100230 (M33), DDI0484 (M0+). A model that
unicorn was asked for is not believed: each core is made to run instructions that its relatives have and it has not, or the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass

LDA = ("LDA r0, [r1] of Armv8-M", b"\xd1\xe8\xaf\x0f")
VSEL = ("VSEL.F32 s0, s1, s2 of FPv5", b"\x00\xfe\x81\x0a")
UADD8 = ("UADD8 r0, r0, r0 of the DSP extension", b"\x80\xfa\x40\xf0")
ADD_DOUBLE = ("VADD.F64 d0, d0, d0", b"\x30\xee\x00\x0b")
SDIV = ("SDIV r0, r0, r0", b"\x90\xfb\xf0\xf0")
MULS = ("MULS r0, r0", b"\x40\x43\x00\xbf")


@dataclass(frozen=True)
class CoreFacts:
    """A core with its FPU.

    Attributes:
        title: as Arm writes it.
        model: unicorn's constant without ``UC_CPU_ARM_``.
        architecture: 6, 7 or 8, of Armv6-M, v7-M, v8-M without TrustZone.
        cpuid, mpu_type, mvfr0, mvfr1: what its registers read.
        caches: CLIDR, CTR and CCSIDR (of the first data cache) of a core with caches.
        doubles_fault: unicorn computes in double precision, and the core has none: such instructions are watched.
        probes: an instruction, and whether the core has it.
    """

    title: str
    model: str
    architecture: int
    cpuid: int
    mpu_type: int
    mvfr0: int
    mvfr1: int
    probes: tuple[tuple[str, bytes, bool], ...]
    caches: tuple[int, int, int] = (0, 0, 0)
    doubles_fault: bool = False


CORES: dict[tuple[str, str], CoreFacts] = {
    ("cortex-m4", "fpv4-sp-d16"): CoreFacts(
        "Cortex-M4",
        "CORTEX_M4",
        7,
        cpuid=0x410F_C241,
        mpu_type=0x800,
        mvfr0=0x1011_0021,
        mvfr1=0x1100_0011,
        probes=((*LDA, False), (*VSEL, False), (*UADD8, True)),
    ),
    ("cortex-m33", "fpv5-sp-d16"): CoreFacts(
        "Cortex-M33",
        "CORTEX_M33",
        8,
        cpuid=0x410F_D214,
        mpu_type=0x800,
        mvfr0=0x1011_0021,
        mvfr1=0x1100_0011,
        probes=((*LDA, True), (*VSEL, True), (*ADD_DOUBLE, False), (*UADD8, True)),
    ),
    ("cortex-m7", "fpv5-d16"): CoreFacts(
        "Cortex-M7",
        "CORTEX_M7",
        7,
        cpuid=0x411F_C271,
        mpu_type=0x1000,
        mvfr0=0x1011_0221,
        mvfr1=0x1200_0011,
        probes=((*LDA, False), (*VSEL, True), (*ADD_DOUBLE, True), (*UADD8, True)),
        caches=(0x0900_0003, 0x8303_C003, 0xF00F_E019),
    ),
    ("cortex-m7", "fpv5-sp-d16"): CoreFacts(
        "Cortex-M7",
        "CORTEX_M7",
        7,
        cpuid=0x410F_C271,
        mpu_type=0x800,
        mvfr0=0x1011_0021,
        mvfr1=0x1100_0011,
        probes=((*LDA, False), (*VSEL, True), (*UADD8, True)),
        caches=(0x0900_0003, 0x8303_C003, 0xF003_E019),
        doubles_fault=True,
    ),
    ("cortex-m0plus", "none"): CoreFacts(
        "Cortex-M0+",
        "CORTEX_M0",
        6,
        cpuid=0x410C_C601,
        mpu_type=0x800,
        mvfr0=0,
        mvfr1=0,
        probes=((*MULS, True), (*SDIV, False), (*UADD8, False), (*VSEL, False)),
    ),
}
"""By the names of core and FPU in a chip's description."""
