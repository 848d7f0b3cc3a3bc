# SPDX-License-Identifier: Apache-2.0
"""No value of a table changes unseen.

Most values come from outside (rounds, manuals, other repositories' commits and digests) or were measured; in a plain checkout nothing else
says them a second time. Who changes one compares it with its source or measures again, and then changes the digest in the same commit.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "cm4tiny"
DIGESTS = {
    "benchmarks/benchmarks.schema.json": "38aefe6e5dc93802fda2a2488a1d33b8",
    "benchmarks/benchmarks.yaml": "984d9c3325977aad38eb0381509fbb2b",
    "benchmarks/index.schema.json": "d8f9720b6a3cb0b4a7e24f0c637fdddc",
    "benchmarks/official/kws01.tsv": "5ddb1c4985c493f111027176cf206ba4",
    "benchmarks/official/official.schema.json": "2bb1348968521d52453f512fe912bf57",
    "benchmarks/official/official.yaml": "54d48a4aab3a350a405e3f6833067cf9",
    "boards/boards/board.schema.json": "22adc8786cc71bf421b79f4e0b5a0837",
    "boards/boards/nucleo-l4r5zi-p.yaml": "f4ced92dd0bd1dd961cb940893e36a8a",
    "boards/boards/nucleo-l4r5zi.yaml": "d9fdf405f06f16b39c3444cf9a61fe31",
    "boards/chips/chip.schema.json": "84ff9084c6c6e8b1dd8de5db38a20ae3",
    "boards/chips/stm32l4r5zi.yaml": "5e49a8ff15721d8f4d2f4915ea9fe954",
    "boards/energy/current.schema.json": "26076208b8148f7a604ec57378b694de",
    "boards/energy/current.yaml": "e93fc6795205cb9fe20999bad43d1715",
    "boards/virtual/silicon.schema.json": "463ce5490d1f73478e5320f883bf8007",
    "boards/virtual/silicon.yaml": "98e0d2e424e4b4fcd3336d85012cafbf",
    "firmware/engines/octoml.schema.json": "a734b5363291a04c807050037d9dcc8a",
    "firmware/engines/octoml.yaml": "6b51422ea53e437e1c7a13e61abfb3b9",
    "firmware/engines/sources.schema.json": "f589a176d746fdff71bc2f0c36f96e7c",
    "firmware/engines/sources.yaml": "33202fb32b93bb815cf6a3a2389bd01e",
    "firmware/engines/tflm.schema.json": "a6060d98a3df23a2cb7ebe969697d92d",
    "firmware/engines/tflm.yaml": "ccfecd95d93a691d4af965feaa09c55d",
    "firmware/microtvm/costs.json": "63322d66fbd995241efb7e804e2509f6",
    "images/energies.schema.json": "ab53eb33b474b38b96baf5c51e7d8980",
    "images/energies.yaml": "5af2752fe51f5bd7d0f643df1b1b8943",
    "images/images.schema.json": "0b19017fcc753c2f38c198f14ac28ec4",
    "images/images.yaml": "4c90dbee77480507a91fc4a2e2c895ae",
    "profiling/profile.schema.json": "f62469a5f367ed595eecab07014038da",
    "profiling/roots.schema.json": "f3ab1e96b9a983459ce1bab16d4ca868",
    "profiling/roots.yaml": "e2b9d5afc5fb94545398c62162e5050b",
    "resolver/catalogue/house.schema.json": "4f75a7fd589ff7110e011cb3fe155897",
    "resolver/catalogue/meta.schema.json": "c122742420f1c05e49a1b8e567830988",
    "resolver/language/inputs.schema.json": "fcb24bfa130265c78014de09d4928524",
    "resolver/store/lock.schema.json": "a268edde1bcf2635690c0cebd050bdbd",
    "results/audit/audit.schema.json": "a7321ff14c481427e436528dc3614b0d",
    "results/model_error.yaml": "9cd3199e3733667294ebaa8691f10300",
    "results/published.csv": "e91b4bb79ed2ddc354707954b2619973",
    "results/published_systems.csv": "71b7bb0ac8a6eaf02735dda57ac366ef",
    "results/replay/known.schema.json": "0409b68bd24c17f53be4893b416f109a",
    "results/replay/known.yaml": "273f39024080d600ed6146629bb08ab6",
    "results/report.schema.json": "a907a71ad86afa9f514c4180ce991d9e",
    "results/rounds/facts.schema.json": "dd6ae8b872d02aac46eb8675456007e2",
    "results/rounds/facts.yaml": "4bcb94e4672518943b1a7ceb41d4e328",
    "results/rounds/label_lists.schema.json": "bab3e4e712a9aeeed8c0e40c852fcc55",
    "results/rounds/label_lists.yaml": "476678bac59d0d66e2bded9fde8f6b60",
    "results/rounds/layouts.schema.json": "60c692864d15cd3e78c54facd5417d3a",
    "results/rounds/layouts.yaml": "9ba05b7705bc1e0d28a640ecbc7c1821",
    "results/rounds/rounds.schema.json": "54784bc334e88f6776a84d666edc6ced",
    "results/rounds/rounds.yaml": "3904d3c51d9bcde3dba91f5fdbf1bb02",
    "results/submission/answers.schema.json": "fe245f2b7d92f08695fa67379b235e59",
    "results/submission/boards.schema.json": "9bb3b94dbb162ef365014742af0be7fc",
    "results/submission/boards.yaml": "d08553bc4709e427a3c762f948062c05",
    "runner/rules.schema.json": "3b4d722cd0b613bf46e92a68b53bc3ad",
    "runner/rules.yaml": "2b4f25baa5af92709b0992ec4ce2b70d",
    "verification/references.schema.json": "960943ea7445ae7e98ecf1bbc167daa9",
    "verification/references.yaml": "5842a8a5448f4fe95c09e915c96cab7f",
}
"""The first 32 hexadecimal digits of each table's SHA-256."""
ELSEWHERE = (
    "benchmarks/embedded/",  # index.yaml has the digest of every other file there, and each is read back (tests/unit/benchmarks)
    "results/dashboard/site/",  # files of the page
    "results/published_digests.json",  # checked when the tables are loaded
)


@pytest.mark.parametrize("name", DIGESTS)
def test_a_table_changes_only_on_purpose(name: str) -> None:
    found = hashlib.sha256((PACKAGE / name).read_bytes()).hexdigest()[:32]
    assert found == DIGESTS[name], f'compare what changed with its source, or measure it; then write here: "{name}": "{found}",'


def test_every_table_is_listed() -> None:
    tables = {path.relative_to(PACKAGE).as_posix() for kind in ("yaml", "json", "csv", "tsv") for path in PACKAGE.rglob(f"*.{kind}")}
    assert {name for name in tables if not name.startswith(ELSEWHERE)} == set(DIGESTS)
