# SPDX-License-Identifier: Apache-2.0
"""Verbs are their steps: each flag and each variation of a step is an option with a meaning, and says the step's tags."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest

from cm4tiny.cli.engine import script_of
from cm4tiny.cli.group import VERBS as ALL_VERBS
from cm4tiny.cli.group import cli
from cm4tiny.cli.hints import cause, translated
from cm4tiny.cli.main import main
from cm4tiny.cli.parameters import SectionedOption, dashed, default_of, group_members, requests_of
from cm4tiny.cli.step_verbs import command
from cm4tiny.cli.verbs import SECTIONS, VERBS
from cm4tiny.errors import UsageError
from cm4tiny.resolver.catalogue.selection import candidates
from cm4tiny.resolver.language.inputs import inputs_of
from cm4tiny.resolver.language.query import ScriptQuery


def unwrapped(text: str) -> str:
    """The text without blanks: help is wrapped, at hyphens as well."""
    return "".join(text.split())


@pytest.mark.parametrize("name", VERBS)
def test_each_flag_of_the_step_is_an_option_with_its_meaning_and_default(name: str) -> None:
    verb = VERBS[name]
    help_text = unwrapped(click.Context(command(name)).get_help())
    for given in inputs_of(script_of(verb.alias)).values():
        if given.alias_of or given.flag in verb.words:
            continue
        assert given.flag == verb.argument or f"--{dashed(given.flag)}" in help_text, given.flag
        assert unwrapped(given.desc) in help_text
        shown = given.default or given.otherwise
        assert not shown or unwrapped(f"[default: {shown}]") in help_text


@pytest.mark.parametrize("name", VERBS)
def test_each_variation_of_the_step_can_be_asked_for(name: str) -> None:
    verb = VERBS[name]
    script = script_of(verb.alias)
    reached = set(verb.hidden) | set(group_members(script, verb.group) if verb.group else ())
    for words in verb.words.values():
        reached |= {words.switch, *words.choices.values(), *(group_members(script, words.group) if words.group else ())}
    assert set(script.variations) <= reached, "show them in cm4tiny.cli.verbs, or list them as hidden"
    assert reached - {""} <= set(script.variations)


@pytest.mark.parametrize("name", VERBS)
def test_the_tags_of_a_verb_mean_its_step_and_no_other(name: str) -> None:
    from cm4tiny.cli.engine import own_scripts

    found = candidates(own_scripts(), ScriptQuery.parse(VERBS[name].tags))
    assert [script.alias for script in found] == [VERBS[name].alias]


def test_every_flag_has_one_heading() -> None:
    flags = [flag for _, below in SECTIONS for flag in below]
    assert len(flags) == len(set(flags))
    known = {flag for verb in VERBS.values() for flag in inputs_of(script_of(verb.alias))} | {"offline"}
    assert set(flags) <= known


@pytest.mark.parametrize("name", ALL_VERBS)
def test_every_option_of_every_verb_has_a_meaning_a_heading_and_takes_dashes(name: str) -> None:
    verb = cli.get_command(click.Context(cli), name)
    assert verb is not None
    options = [param for param in verb.params if isinstance(param, click.Option)]
    assert {"json"} <= {str(param.name) for param in options}
    for param in options:
        assert isinstance(param, SectionedOption) and param.help and "_" not in param.opts[-1]


def typed(name: str, *words: str) -> list[dict[str, Any]]:
    made = command(name)
    ctx = made.make_context(name, list(words))
    given = {key: value for key, value in ctx.params.items() if key not in ("json", "verbose")}
    return requests_of(VERBS[name], script_of(VERBS[name].alias), given)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("run", [{"tags": "reproduce,mlperf,tiny"}]),
        ("run all", [{"tags": "reproduce,mlperf,tiny"}]),
        ("run kws --mode performance", [{"tags": "reproduce,mlperf,tiny,_kws,_performance"}]),
        ("run KWS --mode Energy --board nucleo", [{"tags": "reproduce,mlperf,tiny,_kws,_energy,_NUCLEO"}]),
        ("run kws --engine tflm-cmsis-nn --division closed", [{"tags": "reproduce,mlperf,tiny,_kws,_tflm_cmsis_nn"}]),
        ("run kws --division open --low_ram", [{"tags": "reproduce,mlperf,tiny,_kws,_prune_channels,_low_ram"}]),
        ("run -o out --jobs 2", [{"tags": "reproduce,mlperf,tiny", "outdirname": "out", "jobs": "2"}]),
        (
            "run kws ic",
            [
                {"tags": "reproduce,mlperf,tiny,_kws", "outdirname": "mlperf-tiny-results/kws"},
                {"tags": "reproduce,mlperf,tiny,_ic", "outdirname": "mlperf-tiny-results/ic"},
            ],
        ),
        ("run ad ic kws vww", [{"tags": "reproduce,mlperf,tiny"}]),
        ("run v1.4", [{"tags": "reproduce,mlperf,tiny,_v1.4"}]),
        ("run v1.4 ic ad", [{"tags": "reproduce,mlperf,tiny,_v1.4"}]),
        (
            "run ic02 all kws",
            [
                {"tags": "reproduce,mlperf,tiny,_ic02", "outdirname": "mlperf-tiny-results/ic02"},
                {"tags": "reproduce,mlperf,tiny,_all", "outdirname": "mlperf-tiny-results/all"},
            ],
        ),
        ("run kws --board NUCLEO --bench README.md", [{"tags": "reproduce,mlperf,tiny,_kws,_NUCLEO", "bench": "README.md"}]),
        ("replay v1.1 --strict", [{"tags": "replay,mlperf,tiny,_v1.1", "strict": "yes"}]),
        ("audit . --round v1.2", [{"tags": "check,mlperf,tiny,submission", "path": ".", "round": "v1.2"}]),
        ("profile kws --offline", [{"tags": "profile,mlperf,tiny,_kws", "offline": "yes"}]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_typed_becomes_the_steps_tags_and_flags(words: str, expected: list[dict[str, Any]]) -> None:
    name, *rest = words.split()
    assert typed(name, *rest) == expected


def test_an_argument_and_its_option_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name the same thing"):
        typed("audit", str(tmp_path), "--path", str(tmp_path))


def test_the_defaults_that_help_shows_are_those_of_the_meta() -> None:
    script = script_of("reproduce-mlperf-tiny")
    assert {group: default_of(script, group) for group in ("mode", "engine", "board", "assets")} == {
        "mode": "standard",
        "engine": "microtvm",
        "board": "virtual",
        "assets": "embedded",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cm run script --tags=replay,mlperf,tiny,_v1.4 --path=DIR", "cm4tiny replay v1.4 --path=DIR"),
        (
            "x:\ncm run script --tags=reproduce,mlperf,tiny,_kws,_energy,_prune_channels",
            "x:\ncm4tiny run kws --mode energy --division open",
        ),
        ("cm run script --tags=profile,mlperf,tiny,_ic,_low_ram --no_verify", "cm4tiny profile ic --low-ram --no-verify"),
        ("cm run script --tags=build,firmware,mlperf,tiny,_kws", "cm run script --tags=build,firmware,mlperf,tiny,_kws"),
        ("cm run script --tags=reproduce,mlperf,tiny,_alt", "cm run script --tags=reproduce,mlperf,tiny,_alt"),
        ("give --build_dir=DIR or CM_TINY_CACHE", "give --build-dir=DIR or CM_TINY_CACHE"),
    ],
)
def test_hints_speak_this_command_line(text: str, expected: str) -> None:
    assert translated(text) == expected


@pytest.mark.parametrize(
    ("verb", "what", "expected"),
    [
        ("audit", "script 'check-mlperf-tiny-submission' failed in preprocess: this cannot be submitted", "this cannot be submitted"),
        ("run", "script 'get-tiny-board' (needed by 'reproduce-mlperf-tiny') failed in preprocess: no cc", "no cc (step get-tiny-board)"),
        ("run", "no home directory", "no home directory"),
        ("", "script 'x' failed in preprocess: no", "no (step x)"),
    ],
)
def test_an_error_says_its_cause_first(verb: str, what: str, expected: str) -> None:
    assert cause(verb, what) == expected


def test_a_plan_shows_what_would_run_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CM_REPOS", str(tmp_path / "CM"))
    assert main(["run", "kws", "--plan"]) == 0
    assert "compile-mlperf-tiny-firmware [to be cached]" in capsys.readouterr().out
    assert main(["run", "kws", "--plan", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["result"]["plans"][0]["plan"]["script"] == "reproduce-mlperf-tiny"
    assert not (tmp_path / "CM" / "repos" / "local" / "cache").exists()
    assert not (tmp_path / "CM" / "repos.json").exists()


def test_boards_and_steps_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards"]) == 0
    assert "NUCLEO-L4R5ZI " in capsys.readouterr().out
    assert main(["steps", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["result"]["steps"]
    assert {row["verb"] for row in rows} == {"", *VERBS}
    assert all(row["title"] and row["tags"] for row in rows)
    assert main(["steps"]) == 0
    assert "Replay a round  (cm4tiny replay)" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_verbs_options_and_words(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_CM4TINY_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [("cm4tiny r", "run"), ("cm4tiny run k", "kws"), ("cm4tiny run --eng", "--engine"), ("cm4tiny run --engine tflm_", "tflm_cmsis_nn")],
)
def test_a_shell_is_told_what_fits(words: str, expected: str) -> None:
    from click.shell_completion import ShellComplete

    *before, incomplete = words.split()[1:]
    found = ShellComplete(cli, {}, "cm4tiny", "_CM4TINY_COMPLETE").get_completions(before, incomplete)
    assert expected in [item.value for item in found]


def test_the_first_help_imports_nothing_that_is_slow() -> None:
    """Under 0.3 s; on a busy machine the time says nothing, the modules do."""
    code = "import sys; from cm4tiny.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    began = time.process_time()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.process_time() - began < 5
    loaded = set(done.stderr.split())
    assert not loaded & {"numpy", "yaml", "rich", "cmind", "requests", "jsonschema", "tvm", "unicorn", "cm4tiny.resolver.run"}


@pytest.mark.parametrize("name", ALL_VERBS)
def test_a_verb_s_help_begins_with_what_the_list_of_verbs_says(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None and (command.help or "").startswith(ALL_VERBS[name][1])
