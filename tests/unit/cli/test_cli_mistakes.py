# SPDX-License-Identifier: Apache-2.0
"""Mistakes of a command line: each is refused with its true cause and what to do, before anything runs, without a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cm4tiny.cli.exit_status import ExitStatus
from cm4tiny.cli.main import main

#: what was typed; what the answer has to name: the cause, and what helps.
MISTAKES: list[tuple[str, str, str]] = [
    # verbs
    ("rum", "'rum' is not a verb", "did you mean 'run'?"),
    ("rnu kws", "'rnu' is not a verb", "'run'"),
    ("virtualboard x.elf", "is not a verb", "'virtual-board'"),
    ("kws", "'kws' is not a verb", "cm4tiny run kws"),
    ("_kws", "'_kws' is not a verb", "cm4tiny run kws"),
    ("v1.1", "'v1.1' is not a verb", "cm4tiny replay v1.1"),
    ("reproduce,mlperf,tiny", "is not a verb", "cm run script --tags="),
    ("frobnicate", "is not a verb", "cm4tiny --help"),
    ("--verison", "has no option --verison", "--version"),
    # benchmarks and words
    ("run kwss", "'kwss' is not a valid benchmark", "did you mean 'kws'?"),
    ("run kws,ic", "'kws,ic' is not a valid benchmark", "separate them by blanks: kws ic"),
    ("run energy", "'energy' is not a valid benchmark", "write --mode energy"),
    ("run tflm", "'tflm' is not a valid benchmark", "write --engine tflm"),
    ("run low_ram", "'low_ram' is not a valid benchmark", "write --low-ram"),
    ("run sww", "'sww' is not a valid benchmark", "ad, ic, kws, vww"),
    ("run --kws", "has no option --kws", "cm4tiny run kws"),
    ("run --energy", "has no option --energy", "cm4tiny run --mode energy"),
    ("run --nucleo", "has no option --nucleo", "--board NUCLEO"),
    ("run --mode perf", "--mode=perf is not a valid mode", "'performance'"),
    ("run --engine cmsisnn", "--engine=cmsisnn is not a valid engine", "tflm_cmsis_nn"),
    ("run --board nucleo-l4r5zi", "is not a valid board", "NUCLEO"),
    ("run --assets official", "--assets=official is not a valid assets", "mlcommons"),
    ("run --division opne", "is not a valid division", "'open'"),
    ("run --low-ram --division open --engine tflm", "the engine tflm has no RAM budget", "microtvm"),
    ("run kws --engine tflm --low-ram", "the engine tflm has no RAM budget", "microtvm"),
    ("run ic02 --engine octoml_native", "OctoML submitted no code for 'ic02'", "choose of ad, ic, kws, vww"),
    ("run v1.4 --engine octoml-cmsis-nn", "OctoML submitted no code for 'ic02'", "another engine"),
    ("run kws --mode energy --board NUCLEO", "needs a power monitor", "--monitor=lpm01a"),
    ("run kws --mode energy --board NUCLEO --monitor js220", "no driver of a power monitor 'js220'", "lpm01a"),
    # values of flags
    ("run --jobs many", "--jobs=many is not a number", "a whole number"),
    ("run --jobs 0", "--jobs=0 is not possible", "from 1"),
    ("run --jobs=", "--jobs was given an empty value", "leave it out"),
    ("run --jobs", "'--jobs' requires an argument", "cm4tiny run --help"),
    ("run --ram-budget 12Q", "--ram-budget=12Q is not a size of memory", "128K"),
    ("run kws --ram-budget 10", "--ram-budget=10 is not possible", "128K"),
    ("run kws --ram-budget 900K", "a RAM budget of 921600 bytes is not possible", "the chip has 655360 bytes"),
    ("run --baud 300", "--baud=300 is not possible", "from 1200"),
    ("run --toolchain gcc", "--toolchain=gcc is not a valid choice", "path"),
    ("run --costs none.json", "--costs=none.json does not exist", "check the path"),
    ("run --mirror nowhere", "--mirror=nowhere does not exist", "check the path"),
    ("run --outdirname text.txt", "--outdirname=text.txt cannot be created", "choose another directory"),
    ("run --pack-sha256 abc", "is not a SHA-256 digest", "64 hexadecimal digits"),
    ("run --offline=yes", "does not take a value", "cm4tiny run --help"),
    ("run --engin tflm", "has no option --engin", "'--engine'"),
    ("run --outdir x", "has no option --outdir", "'--outdirname'"),
    ("run --symbols x.elf", "has no option --symbols", "belongs to profile"),
    ("run --tags=reproduce,mlperf", "has no option --tags", "cm run script --tags=reproduce,mlperf"),
    ("run --lock", "'--lock' requires an argument", "cm4tiny run --help"),
    ("run kws ic --lock x.json", "a lock file describes one run", "name one benchmark"),
    ("run kws --locked none.json", "--locked=none.json does not exist", "check the path"),
    ("run --ro-crate", "--ro-crate describes a lock file", "--lock=FILE"),
    # profile
    ("profile --model x.tflite", "--model=x.tflite does not exist", "check the path"),
    ("profile --model text.txt kws", "the file is not a .tflite model", "check the path"),
    ("profile --image .", "is a directory, not a file", "give a file"),
    ("profile --board NUCLEO", "has no option --board", "belongs to run"),
    # rounds and submissions
    ("replay", "nothing to replay", "--path"),
    ("replay 1.1", "'1.1' is not a valid round", "v1.1"),
    ("replay v9.9", "'v9.9' is not a valid round", "v1.3"),
    ("replay v1.4", "cannot be fetched", "cm4tiny replay v1.4 --path=DIR"),
    ("replay v1.1 v1.2", "unexpected extra argument", "cm4tiny replay --help"),
    ("replay --path absent", "--path=absent does not exist", "check the path"),
    ("audit", "nothing to check was named", "--path=DIR"),
    ("audit absent", "--path=absent does not exist", "check the path"),
    ("audit empty --path empty", "name the same thing", "leave --path out"),
    ("submit", "is not set", "--submitter=NAME"),
    ("submit absent --submitter X", "--results=absent does not exist", "check the path"),
    ("submit empty --submitter X --division opened", "--division=opened is not a valid choice", "'open'"),
    ("submit --answers absent.yaml", "--answers=absent.yaml does not exist", "check the path"),
    ("view absent", "--runs=absent does not exist", "check the path"),
    # boards and images
    ("flash", "not clear which image", "--elf=FILE.elf"),
    ("flash absent.elf", "--elf=absent.elf does not exist", "check the path"),
    ("virtual-board", "missing argument 'FILE'", "cm4tiny virtual-board --help"),
    ("virtual-board absent.elf", "absent.elf does not exist", "check the path"),
    ("virtual-board text.txt --board NUCLEO_U575", "no description of a board", "NUCLEO_U575ZI_Q"),
    ("virtual-board text.txt --port 70000", "--port=70000 is not possible", "65535"),
    ("boards NUCLEO", "unexpected extra argument", "cm4tiny boards --help"),
    # cache, completion
    ("cache prune", "what to prune is not said", "--older-than"),
    ("cache prune --all --older-than 3", "exclude each other", "--dry-run"),
    ("cache prune --older-than soon", "--older-than=soon is not a number", "a whole number"),
    ("cache --all", "belong to the action prune", "cm4tiny cache prune"),
    ("cache purge", "'purge' is not a valid action", "list, prune"),
    ("completion", "missing argument", "cm4tiny completion --help"),
    ("completion tcsh", "'tcsh' is not a valid shell", "bash, zsh, fish"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a text file and an empty folder, a home of its own, and an engine that must not run anything."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CM_REPOS", raising=False)
    monkeypatch.delenv("CM_TINY_CACHE", raising=False)
    (tmp_path / "text.txt").write_text("nothing\n", encoding="utf-8")
    (tmp_path / "empty").mkdir()

    def forbidden(*_: object) -> None:
        raise AssertionError("something runs")

    monkeypatch.setattr("cm4tiny.resolver.adapter.command.run", forbidden)
    return tmp_path


@pytest.mark.parametrize(("typed", "cause", "help"), MISTAKES, ids=[typed for typed, *_ in MISTAKES])
def test_a_mistake_is_named_before_anything_runs(
    folder: Path, capsys: pytest.CaptureFixture[str], typed: str, cause: str, help: str
) -> None:
    status = main(typed.split())
    out, err = capsys.readouterr()
    assert status == ExitStatus.USAGE, err
    assert cause in err and help in err
    assert out == "" and "Traceback" not in err and "something runs" not in err


@pytest.mark.parametrize("variable", ["HOME", "CM_REPOS"])
def test_a_home_that_cannot_be_written_is_named_before_anything_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str
) -> None:
    monkeypatch.setenv(variable, str(folder / "text.txt"))
    assert main(["run", "kws"]) == ExitStatus.USAGE
    err = capsys.readouterr().err
    assert f"{folder / 'text.txt'}" in err and "cannot be written" in err and "set CM_REPOS" in err


@pytest.mark.parametrize("typed", ["run kwss", "rum", "run --jobs many", "replay v1.4", "run --nix", "flash absent.elf"])
def test_with_json_the_mistake_is_one_object_and_nothing_else(folder: Path, capsys: pytest.CaptureFixture[str], typed: str) -> None:
    status = main([*typed.split(), "--json"])
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert err == "" and told["exit_status"] == status == ExitStatus.USAGE
    assert told["error"]["what"] and told["error"]["hint"] and told["result"] == {}
