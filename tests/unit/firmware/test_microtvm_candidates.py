# SPDX-License-Identifier: Apache-2.0
"""The candidates of real models: all within the instruction cache, none a fallback, and said to be what they are."""

from __future__ import annotations

from functools import lru_cache

import pytest

from cm4tiny.benchmarks import embedded_model
from cm4tiny.firmware.kernels.int16.assembly import ICACHE_BYTES
from cm4tiny.firmware.microtvm.compiler import survey
from cm4tiny.firmware.microtvm.layout import Action
from cm4tiny.firmware.microtvm.select import scratch_bytes


@lru_cache(maxsize=4)
def actions(name: str) -> tuple[Action, ...]:
    return survey(embedded_model(name).read_bytes())


@pytest.mark.parametrize("name", ["ad", "ic", "kws"])
def test_every_layer_of_a_reference_topology_has_wide_kernels(name):
    assert [a.reason for a in actions(name) if a.reason] == []


@pytest.mark.parametrize("name", ["ad", "ic", "kws"])
def test_candidates_have_names_of_their_own(name):
    for action in actions(name):
        ids = [c.id for c in action.candidates]
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", ["ad", "ic", "kws"])
def test_what_a_candidate_announces_is_what_its_kernel_takes_and_its_loops_fit_into_the_cache(name):
    for action in actions(name):
        for candidate in (action.candidates[0], action.candidates[-1]):
            kernel = candidate.make()
            assert kernel.ram_bytes == candidate.ram_bytes, candidate.id
            assert scratch_bytes(kernel) == candidate.workspace_bytes, candidate.id
            assert all(function.loop_bytes <= ICACHE_BYTES for function in kernel.code), candidate.id
