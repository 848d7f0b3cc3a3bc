# SPDX-License-Identifier: Apache-2.0
"""A profile as JSON, table, plot and page: complete, labelled, and sound for any names."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import jsonschema
import pytest
from support.profiles import cost, layer, profile

from cm4tiny.profiling.model import LABEL, SCHEMA_FILE, Profile
from cm4tiny.profiling.page import page
from cm4tiny.profiling.plot import PARTS, svg
from cm4tiny.profiling.text import shorten, summary, table

NASTY = 'a<b>&"c"'
SVG = "{http://www.w3.org/2000/svg}"
PROFILES = {
    "usual": profile(),
    "unknown": profile(layer(macs=None, kind="", output_shape=()), match="", benchmark="", engine="", notes=("something",)),
    "interrupted": profile(interrupts=cost(7), outside_cycles=None),
    "nasty": profile(layer(NASTY), layer("x" * 200), engine=NASTY, root=NASTY, image=NASTY),
    "no layers": profile(layer(), layers=(), whole=cost(50)),
}


@pytest.fixture(params=PROFILES.values(), ids=PROFILES)
def any_profile(request: pytest.FixtureRequest) -> Profile:
    return request.param  # type: ignore[no-any-return]


def test_the_json_follows_its_schema_and_says_what_it_is(any_profile: Profile) -> None:
    content = json.loads(any_profile.json_text())
    jsonschema.validate(content, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    assert content["profile_version"] == 1
    assert content["simulated"] is True
    assert content["label"] == "simulated: predicted on the virtual board"


def test_the_parts_of_a_layer_add_up_in_the_json() -> None:
    content = profile().as_json()
    for entry in (*content["layers"], content["inference"], content["between_layers"]):
        assert entry["cycles"] == pytest.approx(entry["issue_cycles"] + entry["icache_stall_cycles"] + entry["dcache_stall_cycles"])
    assert sum(e["cycles"] for e in content["layers"]) + content["between_layers"]["cycles"] == content["inference"]["cycles"]


def test_cycles_per_mac_are_shown_where_macs_are_known() -> None:
    known, unknown = profile(), profile(layer(), layer("b", macs=None))
    assert known.macs == 500
    assert known.layers[0].cycles_per_mac == 2.0
    assert known.layers[1].cycles_per_mac is None  # a softmax has none
    assert unknown.macs is None
    inference = next(line for line in table(known).splitlines() if "inference  " in line)
    assert "2.50" in inference  # 1250 cycles of 500 MACs in all


def test_the_table_has_a_row_for_each_layer_and_the_label(any_profile: Profile) -> None:
    text = table(any_profile)
    assert LABEL in text
    rows = text.split("\n---")[1].splitlines()
    assert len(rows) - 1 == len(any_profile.layers) + 1 + (any_profile.interrupts is not None)
    assert all(note in text for note in any_profile.notes)
    assert ("by the device's clock" in text) == (any_profile.outside_cycles is not None)


def test_stored_bytes_are_those_of_the_build() -> None:
    known = profile(layer(planned={"const_bytes": 4321}), layer("b", planned={"const_bytes": 1000}))
    assert known.stored_bytes == 5321
    assert all(number in table(known) and number in page(known) for number in ("4,321", "5,321"))
    unknown = profile(layer(planned={"const_bytes": 4321}), layer("b"))
    assert unknown.stored_bytes is None
    assert [entry["stored_bytes"] for entry in unknown.as_json()["layers"]] == [4321, None]


def test_the_table_gives_up_what_can_be_missed_for_a_narrow_terminal() -> None:
    wide, narrow = table(profile()), table(profile(), 122)
    assert wide == table(profile(), 400)
    assert "most of it in" in wide
    assert "most of it in" not in narrow
    for word in ("cycles", "per MAC", "I-miss", "D-miss", "const B", "RAM B"):
        assert word in narrow.splitlines()[4]
    assert max(map(len, narrow.splitlines()[4:10])) <= 122


def test_throughput_counts_what_lies_outside_of_the_root() -> None:
    assert summary(profile()) == f"1,250 cycles = {120e6 / 1283.5:,.2f} inferences/s at 120 MHz"
    assert summary(profile(outside_cycles=None)) == "1,250 cycles = 96,000.00 inferences/s at 120 MHz"


def test_long_names_keep_both_ends() -> None:
    assert shorten("short", 10) == "short"
    assert shorten("abcdefghijklmnop", 10) == "abcdef…nop"


def test_the_plot_is_an_svg_that_needs_nothing_else(any_profile: Profile) -> None:
    text = svg(any_profile)
    tree = ElementTree.fromstring(text)
    assert LABEL in "".join(tree.itertext())
    assert text.count("http") == 1  # the name space
    assert not any(name in text for name in ("<script", "<image", "@import", "url("))
    groups = tree.findall(f"{SVG}g")
    assert len(groups) == len(any_profile.layers) + 1 + (any_profile.interrupts is not None)


def test_the_bars_are_as_long_as_the_cycles() -> None:
    tree = ElementTree.fromstring(svg(profile(layer(cycles=1000), layer("b", 400))))
    widths = [[float(rect.get("width", 0)) for rect in group.findall(f"{SVG}rect")] for group in tree.findall(f"{SVG}g")]
    assert len(widths[0]) == len(PARTS)
    assert sum(widths[1]) == pytest.approx(0.4 * sum(widths[0]), rel=1e-3)
    assert widths[0][1] == pytest.approx(0.1 * sum(widths[0]), rel=1e-3)
    assert widths[0][2] == pytest.approx(0.05 * sum(widths[0]), rel=1e-3)


def test_texts_stay_inside_the_plot() -> None:
    tree = ElementTree.fromstring(svg(profile(*(layer(f"layer{i:02d}", 10**7 // (i + 1)) for i in range(60)))))
    width, height = float(tree.get("width", 0)), float(tree.get("height", 0))
    assert all(0 <= float(text.get("x", 0)) <= width and 0 <= float(text.get("y", 0)) <= height for text in tree.iter(f"{SVG}text"))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name in ("src", "href") for name, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_is_whole_and_loads_nothing(any_profile: Profile) -> None:
    reader = _Reader()
    reader.feed(page(any_profile))
    reader.close()
    assert reader.open == []
    assert LABEL[1:] in reader.words
    if any_profile.engine == NASTY:
        assert NASTY in reader.words
