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
RESULTS = ROOT / "src" / "cm4tiny" / "results"

DIGESTS = {
    "published.csv": "e91b4bb79ed2ddc354707954b2619973573876e438177ad601b4ff2fbc4d3376",
    "published_systems.csv": "71b7bb0ac8a6eaf02735dda57ac366efa9a5c29d9eb6856dffbcaefb5f095f43",
    "replay/known.yaml": "273f39024080d600ed6146629bb08ab6ca1eefc0d07ecf0b2e998ec1b1814e29",
    "submission/boards.yaml": "d08553bc4709e427a3c762f948062c05998902c136eb1fecf47631ab4890f49f",
    "rounds/facts.yaml": "4bcb94e4672518943b1a7ceb41d4e3283fa629504f625581e1066a3e828b915d",
    "rounds/label_lists.yaml": "476678bac59d0d66e2bded9fde8f6b607622c0fb1dfd9e08b903600d1e028490",
}
"""Facts that were compared with their sources when they were written down. Who changes one compares again, and then changes the digest."""


@pytest.mark.parametrize("name", DIGESTS)
def test_facts_change_only_on_purpose(name: str) -> None:
    assert hashlib.sha256((RESULTS / name).read_bytes()).hexdigest() == DIGESTS[name], (
        f"{name}: compare with its source, then change its digest"
    )


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
