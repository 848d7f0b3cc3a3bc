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
from support.instructions import campaign as campaigns
from support.instructions.campaign import EXPECTED, RECORDED, Progress, campaign, compare, digest, plan_of, step_of
from support.instructions.catalogue import CATALOGUE, RULES, Form, forms, random_fields
from support.instructions.engines import QEMU, BoardEndedError, qemu_is_there, run_on_board, run_on_qemu
from support.instructions.examine import Case, smallest
from support.instructions.images import Image, Plan, build

needs_qemu = pytest.mark.skipif(
    not qemu_is_there(), reason=f"{QEMU} is not installed (Debian: apt-get install qemu-system-arm); its recorded results are checked"
)
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
    """20,500 sequences over page ends, in flash and in RAM, with and without SysTick and stops of the host (thousands: in this process)."""
    plan, row = plan_of(number), ROWS[number]
    image = build(plan, qemu=False)
    assert digest(image.elf()) == row["image"], "the generator changed: python -m support.instructions.campaign --record"
    results = run_on_board(plan, tmp_path, step_ps=step_of(number), image=image, in_process=number % 3 != 0)
    if digest(results) == row["results"]:
        return
    pytest.fail(
        f"image {number} differs" + (_first_difference(plan, results, tmp_path) if qemu_is_there() else "; install qemu to see where")
    )


def _first_difference(plan: Plan, results: bytes, folder: Path) -> str:
    oracle = run_on_qemu(plan, folder)
    run = next(i for i in range(plan.runs) if oracle[4 * i : 4 * i + 4] != results[4 * i : 4 * i + 4])
    lines, found = smallest(Case(plan, run, folder))
    return "\n".join([f" in run {run}: {found}", *lines])


@needs_qemu
@pytest.mark.parametrize("number", [0, 3, 7])
def test_recorded_results_are_those_of_qemu(number: int, tmp_path: Path) -> None:
    assert digest(run_on_qemu(plan_of(number), tmp_path)) == ROWS[number]["results"]


def test_there_are_enough_sequences_and_every_form_is_among_them() -> None:
    assert len(ROWS) == RECORDED and sum(row["sequences"] for row in ROWS) == 20_500
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


# --- the campaign itself ----------------------------------------------------------------------------------------------------------------

IN_RAM = 27
"""An image of 250 sequences."""


@needs_qemu
def test_a_failure_of_the_board_is_a_difference_and_the_runs_behind_it_follow(tmp_path: Path) -> None:
    asked = []

    def fails_twice(plan: Plan, folder: Path, *, start: int, **options: object) -> bytes:
        asked.append(start)
        if start == 100:
            raise BoardEndedError("DeviceFaultError: the same again", 100, b"")
        results = run_on_board(plan, folder, start=start, in_process=True)
        if start == 0:
            raise BoardEndedError("ZeroDivisionError: a defect", 99, results[: 4 * 99])
        return results

    found = compare(IN_RAM, tmp_path, on_board=fails_twice)
    assert found == {99: "ZeroDivisionError: a defect", 100: "DeviceFaultError: the same again"}
    assert asked == [0, 100, 101]


@needs_qemu
def test_a_board_that_always_fails_makes_the_whole_image_different(tmp_path: Path) -> None:
    def fails(plan: Plan, folder: Path, *, start: int, **options: object) -> bytes:
        raise BoardEndedError("BoardError: gone", 0, b"")

    found = compare(IN_RAM, tmp_path, on_board=fails)
    assert len(found) == plan_of(IN_RAM).runs and "too often" in found[plan_of(IN_RAM).runs - 1]


def test_a_board_that_ends_says_in_which_run(tmp_path: Path) -> None:
    """The vector table of this image has no handler: what faults locks the core up."""
    plan = plan_of(7)
    image = build(plan, qemu=False)
    loads = [(at, data[:8] + bytes(len(data) - 8) if len(data) == 64 else data) for at, data in image.loads]
    with pytest.raises(BoardEndedError, match="DeviceFaultError") as caught:
        run_on_board(plan, tmp_path, image=Image(tuple(loads), image.entries))
    whole = run_on_board(plan, tmp_path)
    assert 0 < caught.value.run < plan.runs and caught.value.results == whole[: 4 * caught.value.run]


def test_an_oracle_that_fails_is_not_agreement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.instructions.engines.QEMU", "/no/such/emulator")
    assert "nothing was compared" in compare(IN_RAM, tmp_path)[0]


def test_a_campaign_goes_on_where_it_was_and_keeps_what_differed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[int, bool]] = []

    def one_image(number: int, folder: Path, in_process: bool) -> list[campaigns.Difference]:
        seen.append((number, in_process))
        if number == 27 and in_process:
            raise KeyboardInterrupt  # or the process dies
        return [campaigns.Difference(number, 5, "r0: board 0x1, qemu 0x2")] if number == 26 else []

    monkeypatch.setattr(campaigns, "_one_image", one_image)
    state = tmp_path / "state.json"
    with pytest.raises(KeyboardInterrupt):
        campaign(25, 3000, state, progress=True)
    done = campaign(25, 3000, state, progress=True)
    assert seen == [(25, True), (26, True), (27, True), (27, False), (28, True)]
    assert (done.number, done.done, done.runs) == (29, 3250, 6500)
    assert done.differences == [campaigns.Difference(26, 5, "r0: board 0x1, qemu 0x2")]
    assert Progress.load(state, 0) == done
    output = capsys.readouterr().out
    assert "image 26, run 5: r0: board 0x1, qemu 0x2" in output and "3250 of 3000 sequences" in output and "0:00:00 left" in output


@needs_qemu
@pytest.mark.long
@pytest.mark.timeout(6 * 3600)
def test_a_million_sequences_differ_in_nothing(tmp_path: Path) -> None:
    done = campaign(RECORDED, 1_000_000, tmp_path / "state.json", progress=True)
    assert done.differences == [] and done.done >= 1_000_000
