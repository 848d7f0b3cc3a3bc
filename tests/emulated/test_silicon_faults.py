# SPDX-License-Identifier: Apache-2.0
"""One-line faults in the start-up code of this project's firmware are noticed when it boots on the virtual board."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from support import silicon_faults
from support.silicon_faults import NO_FAULT, Fault, Workshop, all_faults, campaign, chosen_faults, equivalent, faults_of, sample, summary

DATA = Path(silicon_faults.__file__).with_suffix(".yaml")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("faults"))


def test_the_table_has_the_form_of_its_schema() -> None:
    schema = json.loads(DATA.with_suffix(".schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load(DATA.read_text(encoding="utf-8")), schema)


def test_every_argument_is_that_of_a_fault_that_can_be_made() -> None:
    arguments = {equivalent(fault) for fault in all_faults()} - {None}
    assert arguments == {row["argument"] for row in yaml.safe_load(DATA.read_text(encoding="utf-8"))["equivalents"]}


def test_every_pattern_of_an_argument_is_that_of_a_fault_that_can_be_made() -> None:
    rows = yaml.safe_load(DATA.read_text(encoding="utf-8"))["equivalents"]
    assert [pattern for row in rows for pattern in row["faults"] if not faults_of(pattern)] == []


def test_no_fault_of_the_sample_is_equivalent() -> None:
    assert not [fault.label for fault, _ in sample() if equivalent(fault) is not None]


@pytest.mark.parametrize(("fault", "noticed"), [pytest.param(f, how, id=f"{f.file}:{f.first + 1}-{f.kind}") for f, how in sample()])
def test_each_fault_of_the_sample_is_noticed(workshop: Workshop, fault: Fault, noticed: str) -> None:
    assert workshop.try_fault(fault) == noticed


@pytest.mark.long
def test_the_share_of_noticed_faults_is_not_below_the_documented_one() -> None:
    share = summary(campaign(chosen_faults(len(all_faults())), jobs=2))
    assert share.booted >= 100
    assert share.noticed >= 0.95, share.unnoticed


@pytest.mark.long
def test_nothing_notices_a_fault_that_is_argued_to_be_equivalent() -> None:
    results = campaign([fault for fault in all_faults() if equivalent(fault) is not None], jobs=2)
    assert [(how, fault.label) for fault, how in results if how not in ("unnoticed", *NO_FAULT)] == []
