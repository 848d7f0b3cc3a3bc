# SPDX-License-Identifier: Apache-2.0
"""What a person reads who names a flag, a tag or a variation that does not exist."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.micro_cm import Cm

from cm4tiny.errors import ScriptNotFoundError, VariationError
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories
from cm4tiny.resolver.catalogue.selection import select
from cm4tiny.resolver.catalogue.suggestions import for_flag
from cm4tiny.resolver.language.query import ScriptQuery

STORE = ScriptStore(own_repositories())
REPRODUCE = select(STORE, ScriptQuery.parse("reproduce,mlperf,tiny"))


def flag(name: str, value: Any = True) -> str:
    return for_flag(name, value, REPRODUCE, STORE.scripts, ["reproduce", "mlperf", "tiny"])


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("outdir", "x", "did you mean '--outdirname'?"),
        ("job", "3", "did you mean '--jobs'?"),
        ("engine", "TFLM", "\ncm run script --tags=reproduce,mlperf,tiny,_tflm"),
        ("board", "nucleo", "\ncm run script --tags=reproduce,mlperf,tiny,_NUCLEO"),
        ("kws", True, "\ncm run script --tags=reproduce,mlperf,tiny,_kws"),
        ("low_ram", "yes", "\ncm run script --tags=reproduce,mlperf,tiny,_low_ram"),
        ("elf", "x.elf", "--elf belongs to the step 'flash-tinyml-binary'"),
        ("submitter", "me", "--submitter belongs to the step 'generate-mlperf-tiny-submission'"),
        ("acuracy", True, "did you mean the variation '_accuracy'?"),
    ],
)
def test_an_unknown_flag_is_looked_for_among_flags_variations_and_other_steps(name: str, value: Any, says: str) -> None:
    assert says in flag(name, value)


def test_a_flag_of_other_steps_is_not_taken_for_a_similar_word() -> None:
    assert "--time" not in flag("model", "x.tflite")
    assert "--model belongs to the steps 'build-mlperf-tiny-firmware'" in flag("model", "x.tflite")


def test_a_flag_that_nothing_comes_close_to_gets_no_suggestion() -> None:
    assert flag("open") == ""


def hint(tags: str) -> str:
    with pytest.raises((VariationError, ScriptNotFoundError)) as caught:
        select(STORE, ScriptQuery.parse(tags))
    return caught.value.hint


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ("reproduce,mlperf,tiny,_nucleo", "did you mean '_NUCLEO'?\ncm run script --tags=reproduce,mlperf,tiny,_NUCLEO"),
        ("reproduce,mlperf,tiny,_acuracy", "did you mean '_accuracy'?"),
        ("reproduce,mlperf,tiny,_jobs", "'jobs' is a flag: write --jobs=VALUE"),
        ("reproduce,mlperf,tiny,_reproduce", "'reproduce' is a tag: write it without '_'"),
        ("reproduce,mlperf,tiny,_bosch-v1.2", "'_bosch-v1.2' belongs to"),
        ("reproduce,mlperf,tiny,KWS", "'KWS' is a variation: write '_kws'\ncm run script --tags=reproduce,mlperf,tiny,_kws"),
        ("reproduce,mlperf,tinny", "did you mean 'tiny'?"),
        ("Replay,mlperf,tiny", "did you mean 'replay'?"),
        ("build,submission", "the nearest scripts:\n"),
    ],
)
def test_tags_and_variations_are_looked_for_among_each_other(tags: str, says: str) -> None:
    assert says in hint(tags)


def test_a_copied_command_runs(micro: Any) -> None:
    """From what a terminal shows: the hinted line, copied as a whole, is a command that works."""
    micro.script("a", variations={"Kind": {"group": "g"}, "other": {"group": "g"}})
    cm = Cm(micro)
    status, _, err = cm("run", "script", "--tags=a,_kind")
    assert status == 1
    [line] = [line.strip() for line in err.splitlines() if line.strip().startswith("cm run")]
    assert line == "cm run script --tags=a,_Kind"
    assert err.splitlines()[-1] == "!"
    assert cm(*line.split()[1:])[0] == 0


UPSTREAM = """
from cmind.automation import Automation


class CAutomation(Automation):
    def __init__(self, cmind, automation_file):
        super().__init__(cmind, __file__)

    def run(self, i):
        import runpy
        hooks = runpy.run_path(i["file"])
        r = hooks["preprocess"]({"env": {}})
        return r
"""


def test_under_another_engine_the_hinted_line_can_be_copied_as_well(tmp_path: Path) -> None:
    """Upstream's engine hands the error of ``customize.py`` to cmind as it is."""
    folder = tmp_path / "repo" / "automation" / "foreign"
    folder.mkdir(parents=True)
    (tmp_path / "repo" / "cmr.yaml").write_text("alias: foreign\nuid: 0123456789abcdef\ngit: false\n")
    (folder / "_cm.json").write_text(
        '{"alias": "foreign", "uid": "0123456789abcde1", "automation_alias": "automation", "automation_uid": "bbeb15d8f0a944a4"}'
    )
    (folder / "module.py").write_text(UPSTREAM)
    hook = tmp_path / "customize.py"
    hook.write_text(
        "from dataclasses import dataclass\n\nfrom cm4tiny import cm\nfrom cm4tiny.errors import UsageError\n\n"
        "@dataclass(frozen=True)\nclass Options:\n    pass\n\ndef work(options, step):\n"
        "    raise UsageError('no', hint='build it:\\ncm run script --tags=build,_kws')\n\npreprocess = cm.step(Options, work)\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "CM_REPOS": str(home / "CM"), "PYTHONPATH": ":".join(sys.path)}
    call = [sys.executable, "-m", "cmind"]
    subprocess.run([*call, "add", "repo", f"--path={tmp_path / 'repo'}"], env=env, check=True, capture_output=True, timeout=60)
    done = subprocess.run([*call, "run", "foreign", f"--file={hook}"], env=env, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    assert "cm run script --tags=build,_kws" in lines and lines[-1] == "!"
