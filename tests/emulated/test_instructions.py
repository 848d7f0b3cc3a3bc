# SPDX-License-Identifier: Apache-2.0
"""Every instruction of a Cortex-M4, in random sequences: the virtual board against qemu's Cortex-M4, and against its recorded results."""

from __future__ import annotations

import hashlib
import json
import random
import struct
from pathlib import Path

import capstone
import pytest
import yaml
from jsonschema import Draft202012Validator
from support.instructions.campaign import EXPECTED, RECORDED, digest, plan_of, step_of
from support.instructions.catalogue import CATALOGUE, RULES, Form, forms, random_fields
from support.instructions.engines import QEMU, qemu_is_there, run_on_board, run_on_qemu
from support.instructions.examine import smallest
from support.instructions.images import Plan, build

ROWS = yaml.safe_load(EXPECTED.read_text(encoding="utf-8"))


def test_the_catalogue_fits_its_schema() -> None:
    schema = json.loads(CATALOGUE.with_suffix(".schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(yaml.safe_load(CATALOGUE.read_text(encoding="utf-8")))
    assert {form.where for form in forms()} - {""} == set(RULES)


@pytest.mark.parametrize("form", forms(), ids=lambda form: f"{form.names[0]}-{form.bits}")
def test_a_form_is_the_instruction_that_it_says(form: Form) -> None:
    tool = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    chance, seen = random.Random(form.bits), set()
    for _ in range(400):
        code = form.encode(random_fields(form, chance))
        found = list(tool.disasm_lite(struct.pack(f"<{len(code)}H", *code), 0x08000000))
        assert len(found) == 1, [f"{half:04x}" for half in code]
        name = found[0][2].removesuffix(".w")
        assert name in form.names, f"{name} {found[0][3]}"
        seen.add(name)
    assert len(seen) >= min(len(form.names), 2)


def test_fields_avoid_registers() -> None:
    chance = random.Random(1)
    for form in forms():
        for _ in range(20):
            fields = random_fields(form, chance, {3, 5})
            assert form.written(fields).isdisjoint({3, 5})


@pytest.mark.parametrize("number", range(RECORDED))
def test_sequences_give_what_qemu_gave(number: int, tmp_path: Path) -> None:
    """20,500 sequences over page ends, in flash and in RAM, with and without SysTick and stops of the host."""
    plan, row = plan_of(number), ROWS[number]
    image = build(plan, qemu=False)
    assert digest(image.elf()) == row["image"], "the generator changed: python -m support.instructions.campaign --record"
    results = run_on_board(plan, tmp_path, step_ps=step_of(number), image=image)
    if digest(results) == row["results"]:
        return
    pytest.fail(
        f"image {number} differs" + (_first_difference(plan, results, tmp_path) if qemu_is_there() else "; install qemu to see where")
    )


def _first_difference(plan: Plan, results: bytes, folder: Path) -> str:
    oracle = run_on_qemu(plan, folder)
    run = next(i for i in range(plan.runs) if oracle[4 * i : 4 * i + 4] != results[4 * i : 4 * i + 4])
    lines, found = smallest(plan, run, folder)
    return "\n".join([f" in run {run}: {found}", *lines])


@pytest.mark.skipif(
    not qemu_is_there(), reason=f"{QEMU} is not installed (Debian: apt-get install qemu-system-arm); its recorded results are checked"
)
@pytest.mark.parametrize("number", [0, 3, 7])
def test_recorded_results_are_those_of_qemu(number: int, tmp_path: Path) -> None:
    assert digest(run_on_qemu(plan_of(number), tmp_path)) == ROWS[number]["results"]


def test_there_are_enough_sequences_and_every_form_is_among_them() -> None:
    assert len(ROWS) == RECORDED and sum(row["sequences"] for row in ROWS) >= 20_000
    assert len({plan_of(n).tick_cycles for n in range(RECORDED)}) == 4 and len({step_of(n) for n in range(RECORDED)}) == 3
    assert {plan_of(n).traps for n in range(RECORDED)} == {0, 16, 24} and any(plan_of(n).in_ram for n in range(RECORDED))
    image = build(plan_of(0), qemu=False)
    crossing = sum(at >> 12 != (at + 2 * length - 1) >> 12 for at, length in image.entries)
    assert crossing > 150


@pytest.mark.parametrize("in_ram", [False, True])
def test_results_do_not_depend_on_interrupts_and_host_reads(tmp_path: Path, in_ram: bool) -> None:
    seen = set()
    for tick_cycles, step_ps in ((0, 10**12), (131, 10**12), (0, 3_000_017), (293, 9_000_011)):
        plan = Plan(4711, 60, in_ram, tick_cycles=tick_cycles, faults=True)
        seen.add(hashlib.sha256(run_on_board(plan, tmp_path, step_ps=step_ps)).hexdigest())
    assert len(seen) == 1
