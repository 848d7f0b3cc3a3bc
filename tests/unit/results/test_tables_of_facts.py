# SPDX-License-Identifier: Apache-2.0
"""Tables of facts: what they say is said a second time elsewhere, so that a changed figure is seen in a plain checkout."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import yaml

from cm4tiny.benchmarks import ALL_BENCHMARKS
from cm4tiny.results.published import published_results
from cm4tiny.results.rounds.table import ROUNDS, benchmark_facts
from cm4tiny.results.submission.system import boards

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src" / "cm4tiny"
RESULTS = PACKAGE / "results"

DIGESTS = {
    "benchmarks/benchmarks.yaml": "984d9c3325977aad38eb0381509fbb2be66e0585abc6429792d43d154d97eecb",
    "benchmarks/official/kws01.tsv": "5ddb1c4985c493f111027176cf206ba410cedd3be4ee2f0d35e43b9170a4840d",
    "benchmarks/official/official.yaml": "54d48a4aab3a350a405e3f6833067cf95af67f797bead0733e08cbc87711e2a1",
    "boards/energy/current.yaml": "e93fc6795205cb9fe20999bad43d1715259b15f0a1d7dd949d7d580efe98bd91",
    "firmware/engines/octoml.yaml": "6b51422ea53e437e1c7a13e61abfb3b96e9d58acc62e0bcb125d34fd12580312",
    "firmware/engines/sources.yaml": "33202fb32b93bb815cf6a3a2389bd01ee7197eed947c1c6a815a846661eb9bb4",
    "firmware/engines/tflm.yaml": "ccfecd95d93a691d4af965feaa09c55d1dcee1a0f78b89e5d76223ff1fee6f5d",
    "images/energies.yaml": "5af2752fe51f5bd7d0f643df1b1b894351b7a74cf402d75c7b12e8019526a8b0",
    "images/images.yaml": "4c90dbee77480507a91fc4a2e2c895ae1c4b5f5eb10b005f47fb4df8ef0ed810",
    "results/published.csv": "e91b4bb79ed2ddc354707954b2619973573876e438177ad601b4ff2fbc4d3376",
    "results/published_systems.csv": "71b7bb0ac8a6eaf02735dda57ac366efa9a5c29d9eb6856dffbcaefb5f095f43",
    "results/replay/known.yaml": "273f39024080d600ed6146629bb08ab6ca1eefc0d07ecf0b2e998ec1b1814e29",
    "results/rounds/facts.yaml": "4bcb94e4672518943b1a7ceb41d4e3283fa629504f625581e1066a3e828b915d",
    "results/rounds/label_lists.yaml": "476678bac59d0d66e2bded9fde8f6b607622c0fb1dfd9e08b903600d1e028490",
    "results/rounds/layouts.yaml": "9ba05b7705bc1e0d28a640ecbc7c18216294690f9f92ecb8e966eb560a4eed7a",
    "results/rounds/rounds.yaml": "3904d3c51d9bcde3dba91f5fdbf1bb0294defc3f646e91686f276ecb9bf098cd",
    "results/submission/boards.yaml": "d08553bc4709e427a3c762f948062c05998902c136eb1fecf47631ab4890f49f",
    "runner/rules.yaml": "2b4f25baa5af92709b0992ec4ce2b70dde463d1c98400d83b1dd02c36a81247c",
    "verification/references.yaml": "5842a8a5448f4fe95c09e915c96cab7fa6725e81cb7186d08e1cb1625373f5de",
}
"""Facts that were compared with their sources when they were written down: rounds, commits, digests of published files, manuals, rules. Who
changes one compares again, and then changes the digest; most of these values have no second witness in a plain checkout."""


@pytest.mark.parametrize("name", DIGESTS)
def test_facts_change_only_on_purpose(name: str) -> None:
    found = hashlib.sha256((PACKAGE / name).read_bytes()).hexdigest()
    assert found == DIGESTS[name], f"{name}: compare what changed with its source, then write its digest here: {found}"


def test_known_mismatches_are_those_of_the_documentation() -> None:
    """docs/replay.md lists them by hand; ``known.yaml`` is what makes --accept_known pass."""
    page = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
    section = page[page.index("The five mismatches") : page.index("Not verifiable:")]
    listed = set()
    for round_, session, claimed, recomputed in re.findall(r"^\| (v[\d.]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", section, re.MULTILINE):
        submitter, system, benchmark, mode = (part.strip() for part in session.split(","))
        figures = [re.findall(r"\d+(?:\.\d+)?", text.replace("top-1", "")) for text in (claimed, recomputed)]
        path = f"closed/{submitter}/results/{system}/{benchmark}/{mode}"
        listed |= {(round_, path, *pair) for pair in zip(*figures, strict=True)}
    known = yaml.safe_load((RESULTS / "replay" / "known.yaml").read_text(encoding="utf-8"))["mismatches"]
    assert listed == {(row["round"], row["path"], row["claimed"], row["recomputed"]) for row in known}
    assert len(known) == 5


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


@pytest.mark.parametrize("name", boards())
def test_a_submission_board_is_as_its_submitters_describe_it(name: str) -> None:
    """Chip and clock against the table of published results, which comes from other files of the rounds."""
    fields = boards()[name].fields
    mine = _plain(fields["Board Name"])
    rows = [row for row in published_results() if _plain(row.board) == mine]
    assert rows, f"nobody published results of {fields['Board Name']}"
    clocks = [float(re.findall(r"\d+", row.frequency)[0]) for row in rows if re.search(r"\d", row.frequency)]
    assert float(fields["Processor(s) Frequencies"].removesuffix(" MHz")) == max(clocks)
    chips = {_plain(row.soc) for row in rows}
    assert any(_plain(fields["SoC Name"]).startswith(chip[:9]) for chip in chips if chip)


def test_a_board_has_one_chip_and_no_result_stands_out_by_ten() -> None:
    """Of one board and benchmark, published throughputs lie within a factor of eight; a digit too many does not."""
    groups: dict[tuple[str, str], list[float]] = {}
    for row in published_results():
        if row.throughput_inf_per_s and "hls4ml" not in row.submitter:
            groups.setdefault((_plain(row.board), row.benchmark), []).append(row.throughput_inf_per_s)
    wide = {key: (min(values), max(values)) for key, values in groups.items() if len(values) > 1 and max(values) > 8 * min(values)}
    assert wide == {}


@pytest.mark.parametrize("round_id", ROUNDS)
def test_a_round_judges_each_benchmark_on_the_lists_of_its_data_set(round_id: str) -> None:
    for folder, lists in ROUNDS[round_id].label_lists.items():
        row = benchmark_facts(folder)
        assert row is not None and row.id in ALL_BENCHMARKS
        assert lists and all(name.split("-")[0] == row.data_set for name in lists), f"{folder} is judged on {lists}"
