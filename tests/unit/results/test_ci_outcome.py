# SPDX-License-Identifier: Apache-2.0
"""What a replay leaves for a CI service: grouped, linked, and with hostile text that stays text."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm4tiny.errors import ResultsError
from cm4tiny.results.audit import RULES, Finding
from cm4tiny.results.ci import CiOutcome, RoundPlaces, places_of, publish, sarif_text, summary_markdown, workflow_commands
from cm4tiny.results.ci.commands import SHOWN, command, escaped
from cm4tiny.results.ci.markdown import MAX_BYTES, text
from cm4tiny.results.ci.outcome import by_cause, by_rule, submitter_of
from cm4tiny.results.rounds import ROUNDS
from cm4tiny.results.rounds.model import Check

A_RULE, OTHER_RULE = sorted(RULES)[:2]


def finding(
    path: str = "closed/Someone/results/board/kws", *, rule: str = A_RULE, severity: Any = "error", message: str = "it is wrong"
) -> Finding:
    return Finding(rule, severity, "v1.3", path, message)


def check(status: Any, *, path: str = "closed/Someone/results/board/kws/performance", cause: str = "", claimed: str = "10.000") -> Check:
    return Check("v1.3", path, "kws", "performance", "mlc", "throughput", claimed, "9.000", status, cause)


def outcome(**changes: Any) -> CiOutcome:
    findings = (
        *(finding(f"closed/{who}/results/board/{number}") for who, count in (("Someone", 3), ("Other", 2)) for number in range(count)),
        finding("open/Third/systems/board.json", rule=OTHER_RULE, severity="warning"),
        finding(".", rule=OTHER_RULE, severity="note"),
    )
    known = check("mismatch", path="closed/Other/results/board/ad/performance", cause="known cause")
    checks = (check("match"), check("mismatch", cause="a cause"), known,
              *(check("unverifiable", cause=f"short; log truncated: {n} of 1000 files") for n in (7, 23)),
              check("unverifiable", cause="trace not submitted"))  # fmt: skip
    places = RoundPlaces({"v1.3": "https://github.com/mlcommons/tiny_results_v1.3/blob/abc"}, {"v1.3": ""})
    return CiOutcome(**{"title": "Replay", "rounds": ("v1.3",), "findings": findings, "checks": checks, "accepted": frozenset({known}),
                        "failures": ("v1.3: throughput",), "places": places, **changes})  # fmt: skip


# --- groups -------------------------------------------------------------------------------------------------------------------
def test_findings_are_grouped_by_rule_the_heaviest_first() -> None:
    groups = by_rule(outcome().findings)
    assert [(group.rule, group.severity, group.count) for group in groups] == [
        (A_RULE, "error", 5),
        (OTHER_RULE, "warning", 1),
        (OTHER_RULE, "note", 1),
    ]
    assert groups[0].submitters == ("Other", "Someone")


def test_what_cannot_be_checked_is_grouped_by_its_reason_whatever_the_figures() -> None:
    assert {cause: len(checks) for cause, checks in by_cause(outcome().checks).items()} == {
        "log truncated: N of N files": 2,
        "trace not submitted": 1,
    }


@pytest.mark.parametrize(
    ("path", "who"),
    [("closed/A/results", "A"), ("open/B", "B"), (".", "(the whole)"), ("README.md", "(the whole)"), ("code/x", "(the whole)")],
)
def test_the_submitter_is_the_folder_below_the_division(path: str, who: str) -> None:
    assert submitter_of(path) == who


# --- the summary --------------------------------------------------------------------------------------------------------------
def test_the_summary_says_the_verdict_first_and_breaks_every_number_down() -> None:
    shown = summary_markdown(outcome())
    assert shown.splitlines()[2].startswith(
        "**failed** — v1.3. 6 claims: 1 match, 2 mismatch, 0 no-claim, 3 unverifiable. "
        "7 findings of the audit: 5 errors, 1 warning, 1 note."
    )
    rows = [re.sub(r"&#(\d+);", lambda match: chr(int(match[1])), line) for line in shown.splitlines() if line.startswith("| ")]
    assert any(
        re.match(
            rf"\| error \| {re.escape(A_RULE)}: .* \| 5 \| Other, Someone \| \[v1.3 closed/Someone/results/board/0\]\(<https://github", row
        )
        for row in rows
    )
    assert "| v1.3 | Someone | 1 | 3 |  |  | 3 |" in rows and "| v1.3 | Other | 1 | 2 |  |  |  |" in rows
    assert "### 3 claims that cannot be checked, by reason" in shown
    assert any(row.startswith("| log truncated: N of N files | 2 | 2 throughput | Someone |") for row in rows)
    mismatches = [row for row in rows if "9.000" in row]
    assert "(known)" not in mismatches[0] and "known cause (known)" in mismatches[1]
    assert summary_markdown(outcome(failures=())).splitlines()[2].startswith("**passed**")


HOSTILE = ["<img src=x onerror=alert(1)>", "a | b", "[x](javascript:alert)", "![x](http://evil)", "@everyone", "`code`", "www.evil.example",
           "http://evil.example",
           "line\nbreak", "a\u2028b", "\x1b[31mred", "&lt;b&gt;", "\u202ertl", "\ud800", "**bold**", "$x$"]  # fmt: skip


@pytest.mark.parametrize("bad", HOSTILE)
def test_hostile_text_stays_text_in_the_summary(bad: str) -> None:
    import html

    cell = text(bad)
    assert not re.search(r"[<>|`*\[\]\n\r\x1b\u2028\u202e@]", cell) and "http:" not in cell and "www." not in cell
    assert html.unescape(cell).split() == re.sub(r"[\x1b\u202e]", " ", bad.replace("\u2028", " ").replace("\ud800", "?")).split()
    shown = summary_markdown(
        outcome(
            findings=(finding(f"closed/{bad}/x", message=bad),),
            checks=(check("mismatch", path=f"closed/{bad}", cause=bad),),
            failures=(bad,),
        )
    )
    assert "<img" not in shown and "@everyone" not in shown and "](javascript" not in shown
    rows = [line for line in shown.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!&#124;)\|", row)) for row in rows if row.startswith("| error")} == {6}


def test_a_long_summary_is_cut_where_the_service_would_drop_it() -> None:
    many = tuple(finding(f"closed/S{n}/x", rule=f"r{n}", message="m" * 5000) for n in range(5000))
    shown = summary_markdown(outcome(findings=many))
    assert len(shown.encode()) < MAX_BYTES and "and 4900 more rows" in shown


# --- annotations --------------------------------------------------------------------------------------------------------------
def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the service reads it: the first :: ends the properties."""
    match = re.fullmatch(r"::(\w+)(?: ((?:[^:]|:(?!:))*))?::(.*)", line)
    assert match, line

    def plain(value: str) -> str:
        for code, char in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            value = value.replace(code, char)
        return value

    properties = dict(part.split("=", 1) for part in (match[2] or "").split(",") if part)
    return match[1], {key: plain(value) for key, value in properties.items()}, plain(match[3])


@given(st.text(max_size=200), st.text(max_size=60), st.text(max_size=60))
def test_no_text_becomes_another_command_or_property(message: str, title: str, file: str) -> None:
    line = command("error", message, title=title, file=file)
    assert len(line.splitlines()) == 1
    kind, properties, said = parsed(line)
    assert kind == "error" and set(properties) <= {"file", "title"}
    assert said.count("::") == message.count("::") and (not title or properties["title"].count(",") == title.count(","))
    assert [ord(char) for char in said if char.isalnum()] == [ord(char) for char in message if char.isalnum()]


@pytest.mark.parametrize(
    "bad",
    ["x\n::error::owned", "x\r\n::set-output name=a::b", "x%0A::error::y", "x\u2028::error::y", "x\x85::error::y", "::add-mask::a", "x\0y"],
)
def test_a_submission_cannot_begin_a_command(bad: str) -> None:
    found = workflow_commands(
        outcome(
            findings=(finding(f"closed/{bad}/r", message=bad),),
            checks=(check("mismatch", path=f"closed/{bad}", cause=bad),),
            failures=(bad,),
        )
    )
    lines = "\n".join(found).splitlines()
    assert len(lines) == len(found) == 2 and all(re.match(r"::(error|warning|notice) (file=|title=)", line) for line in lines)
    assert "%250A" in escaped("x%0A")


def test_there_is_an_annotation_for_each_rule_and_not_for_each_finding() -> None:
    found = [parsed(line) for line in workflow_commands(outcome())]
    assert Counter(kind for kind, _, _ in found) == {"error": 2, "warning": 1, "notice": 4}
    mismatch, rule = found[:2]
    assert mismatch[1] == {
        "file": "closed/Someone/results/board/kws/performance/results.txt",
        "title": "mismatch: v1.3 closed/Someone/results/board/kws/performance",
    }
    assert rule[1]["title"] == f"{A_RULE} (5 findings)" and "5 findings of Other, Someone" in rule[2]
    assert {title["title"] for kind, title, _ in found if "verifiable" in title["title"]} == {"not verifiable (2)", "not verifiable (1)"}


def test_more_annotations_than_the_service_shows_are_counted() -> None:
    many = tuple(finding(rule=f"r{n:02}") for n in range(25))
    found = [parsed(line) for line in workflow_commands(outcome(findings=many, checks=(), failures=()))]
    assert len(found) == SHOWN and found[-1][2] == "16 more of this kind are in the step summary"


def test_a_failure_without_a_mismatch_is_an_annotation_too() -> None:
    (line,) = workflow_commands(outcome(findings=(), checks=(), failures=("one", "two", "three", "four")))
    assert parsed(line) == ("error", {"title": "Replay failed"}, "one\ntwo\nthree\nand 1 more")


# --- SARIF --------------------------------------------------------------------------------------------------------------------
RUN_SCHEMA = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "maxItems": 1, "items": {
            "type": "object", "required": ["tool", "results"], "properties": {
                "tool": {"required": ["driver"], "properties": {"driver": {"required": ["name", "rules"]}}},
                "results": {"type": "array", "items": {
                    "type": "object", "required": ["ruleId", "level", "message", "locations", "partialFingerprints"], "properties": {
                        "level": {"enum": ["none", "note", "warning", "error"]},
                        "message": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}},
                        "locations": {"type": "array", "minItems": 1},
                    }}},
            }}},
    },
}  # fmt: skip
"""What GitHub needs of SARIF 2.1.0; the whole schema is OASIS's."""


def sarif(**changes: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(sarif_text(outcome(**changes)))
    jsonschema.validate(loaded, RUN_SCHEMA)
    run: dict[str, Any] = loaded["runs"][0]
    return run


def test_sarif_names_every_finding_with_its_rule_level_and_place() -> None:
    run = sarif()
    assert len(run["results"]) == 2 + 7
    named = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert named == {"replay.mismatch", A_RULE, OTHER_RULE} == {result["ruleId"] for result in run["results"]}
    assert Counter(result["level"] for result in run["results"]) == {"error": 6, "warning": 1, "note": 2}
    assert [result.get("suppressions", [{}])[0].get("kind") for result in run["results"][:2]] == [None, "external"]
    uris = [result["locations"][0]["physicalLocation"]["artifactLocation"] for result in run["results"]]
    assert uris[0] == {"uri": "closed/Someone/results/board/kws/performance/results.txt"} and "originalUriBaseIds" not in run
    assert len({result["partialFingerprints"]["cm4tiny/v1"] for result in run["results"]}) == 9


def test_sarif_of_a_round_outside_of_the_checkout_says_where_it_is() -> None:
    run = sarif(places=RoundPlaces({"v1.3": "https://github.com/mlcommons/tiny_results_v1.3/blob/abc"}))
    assert run["originalUriBaseIds"] == {"ROUND_v1.3": {"uri": "https://github.com/mlcommons/tiny_results_v1.3/blob/abc/"}}
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uriBaseId"] == "ROUND_v1.3"


@pytest.mark.parametrize("bad", HOSTILE)
def test_hostile_text_is_a_string_in_sarif_and_paths_are_escaped(bad: str) -> None:
    run = sarif(findings=(finding(f"closed/{bad.replace(chr(0xD800), '?')}", message=bad),), checks=())
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"[\w/%.~-]+", uri)


# --- places, publishing -------------------------------------------------------------------------------------------------------
def test_places_are_the_pinned_round_or_the_checkout_of_the_service(tmp_path: Path) -> None:
    round_ = ROUNDS["v1.3"]
    environ = {
        "GITHUB_WORKSPACE": str(tmp_path),
        "GITHUB_SERVER_URL": "https://git.example",
        "GITHUB_REPOSITORY": "me/mine",
        "GITHUB_SHA": "f" * 40,
    }
    assert (
        places_of([(round_, tmp_path)], environ, fetched=True).url("v1.3", "closed/a b")
        == f"https://github.com/{round_.repository}/blob/{round_.commit}/closed/a%20b"
    )
    inside = places_of([(round_, tmp_path / "round")], environ)
    assert inside.url("v1.3", "closed/x") == f"https://git.example/me/mine/blob/{'f' * 40}/round/closed/x"
    assert (inside.file("v1.3", "closed/x"), places_of([(round_, tmp_path)], environ).file("v1.3", "closed/x")) == (
        "round/closed/x",
        "closed/x",
    )
    outside = places_of([(round_, tmp_path.parent)], environ)
    assert (outside.url("v1.3", "x"), outside.file("v1.3", "x")) == ("", "")
    assert places_of([(round_, tmp_path)], {}).url("v1.3", "x") == ""


def test_on_github_the_summary_is_appended_and_annotations_are_shown(tmp_path: Path) -> None:
    step = tmp_path / "step.md"
    step.write_text("before\n", encoding="utf-8")
    lines: list[str] = []
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(step)}
    files = publish(outcome(), tmp_path / "out", lines.append, environ)
    assert [path.name for path in files] == ["summary.md", "findings.sarif", "annotations.txt"]
    assert step.read_text(encoding="utf-8") == "before\n" + files[0].read_text(encoding="utf-8")
    assert lines == workflow_commands(outcome()) == files[2].read_text(encoding="utf-8").splitlines()
    publish(outcome(), tmp_path / "out", lines.append, {})
    assert lines == workflow_commands(outcome()), "elsewhere the files are all"


def test_a_summary_that_does_not_fit_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    step = tmp_path / "step.md"
    step.write_bytes(b"x" * (MAX_BYTES - 10))
    publish(outcome(), tmp_path / "out", lambda line: None, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(step)})
    assert step.read_bytes().endswith(b"the files of the run have it.\n")


def test_a_step_summary_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="cannot be written"):
        publish(outcome(), tmp_path / "out", lambda line: None, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path)})
