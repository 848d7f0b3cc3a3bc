# SPDX-License-Identifier: Apache-2.0
"""A changed input on a warm cache gives the right result under each front end; the caches of upstream's engine and MLCFlow know tags only.

The metas and the engines (PyPI's cmx4mlops and mlcflow) are the real ones. The steps that compile are replaced by ones that write down what
they were asked for, so that many inputs can be tried in seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.front_ends import NAMES

from cm4tiny import mlcflow
from cm4tiny.benchmarks import embedded_model
from cm4tiny.firmware import microtvm
from cm4tiny.firmware.microtvm.costs import SHIPPED
from cm4tiny.paths import cm_repo

RECORDING = """
import hashlib, json, os
from pathlib import Path

KEYS = {keys}


def preprocess(i):
    env = i["env"]
    asked = {{key: str(env.get(key, "")) for key in KEYS}}
    file = str(env.get("CM_TINY_MODEL_FILE") or "")
    asked["content"] = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    record = Path.cwd() / "asked.json"
    record.write_text(json.dumps(asked))
    with open(os.environ["IDENTITY_TRACE"], "a") as trace:
        trace.write({alias!r} + "\\n")
    env[{output!r}] = str(record)
    return {{"return": 0}}
"""

OPTIONS = ("MODEL", "ENGINE", "ASSETS", "IMAGE", "RAM_BUDGET", "ZEROS", "DEAD", "TOOLCHAIN", "TUNING", "NO_VERIFY", "BOARD")
REPLACED = {
    "compile-mlperf-tiny-firmware": "CM_TINY_FIRMWARE_RECORD",
    "measure-mlperf-tiny-kernels": "CM_TINY_COSTS_FILE",
    "build-tiny-engine-library": "CM_TINY_ENGINE_LIBRARY",
    "get-tiny-toolchain": "CM_TINY_TOOLCHAIN_KIND",
    "get-mlperf-tiny-results": "CM_TINYMLPERF_REPO_PATH",
    "get-tiny-engine-src": "CM_TINY_ENGINE_SRC_X",
}

CM_STARTS = {"cm": ("access", "script"), "cmx": ("x", "script"), "upstream": ("access", "script,5b4e0237da074764")}
RUN = """
import json, sys
from pathlib import Path
import cm4tiny.paths
import cm4tiny.mlcflow

cm4tiny.paths.cm_repo = lambda: Path(sys.argv[3])  # the copy with the replaced steps is this project's repository

name, starts = sys.argv[4], json.loads(sys.argv[5])
if name == "mlcr":
    import mlc
    call = lambda request: mlc.access({"action": "run", "target": "script", "quiet": True, **request})
else:
    import cmind
    function, automation = starts[name]
    jobs = {"jobs": "1"} if automation == "script" else {}  # a worker would have a process of its own
    fixed = {"action": "run", "automation": automation, "out": "", "quiet": True, **jobs}
    call = lambda request: getattr(cmind, function)({**fixed, **request})
answers = []
for request in json.loads(sys.argv[1]):
    answer = call(request)
    new_env = cm4tiny.mlcflow.to_cm(answer.get("new_env", {}))
    answers.append({"return": answer["return"], "error": answer.get("error", ""), "new_env": new_env})
Path(sys.argv[2]).write_text(json.dumps(answers))
"""


class Home:
    """A home of one front end with this project's scripts, the slow ones replaced."""

    def __init__(self, name: str, base: Path, packages: tuple[Path, ...], repository: Path) -> None:
        self.name, self.base, self.repository = name, base, repository
        self.trace = base / "trace"
        cm_home, mlc_repos = base / "CM", base / "MLC"
        cm_home.mkdir()
        others = [str(packages[0] / "cmx4mlops")] if name == "upstream" else []
        (cm_home / "repos.json").write_text(json.dumps([*others, str(repository)]), encoding="utf-8")
        mlc_repos.mkdir()
        mlcflow.write(repository, base / "mlc")
        (mlc_repos / "repos.json").write_text(json.dumps([str(mlc_repos / "local"), str(base / "mlc")]), encoding="utf-8")
        # Repositories of installed packages are left out: this project's own would answer in place of the copy.
        self.env = {
            **os.environ,
            "CM_REPOS": str(cm_home), "CM_CORE_SKIP_INTERNAL_REPOS": "yes", "MLC_REPOS": str(mlc_repos), "IDENTITY_TRACE": str(self.trace),
            "PYTHONPATH": os.pathsep.join(str(path) for path in (*packages, Path(mlcflow.__file__).parents[1])),
        }  # fmt: skip

    def run(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        """The environments that the requests give, in one process; each must succeed."""
        answers = self.base / "answers.json"
        if self.name == "mlcr":
            requests = tuple({**given, "env": {mlcflow.to_mlc(key): v for key, v in given.get("env", {}).items()}} for given in requests)
        arguments = [json.dumps(requests), str(answers), str(self.repository), self.name, json.dumps(CM_STARTS)]
        command = [sys.executable, "-c", RUN, *arguments]
        done = subprocess.run(command, env=self.env, cwd=self.base, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        results = json.loads(answers.read_text())
        assert [answer["error"] for answer in results if answer["return"]] == []
        return [answer["new_env"] for answer in results]

    @property
    def ran(self) -> list[str]:
        """Aliases of the replaced steps that really ran since the last look."""
        lines = self.trace.read_text().splitlines() if self.trace.exists() else []
        self.trace.unlink(missing_ok=True)
        return lines


everywhere = pytest.mark.parametrize("home", NAMES, indirect=True, scope="module")
by_tags = pytest.mark.parametrize(
    "home",
    [pytest.param("cm", marks=pytest.mark.long), pytest.param("cmx", marks=pytest.mark.long), "upstream", "mlcr"],
    indirect=True,
    scope="module",
)
"""The ordinary run tries the caches that know tags only; this engine's key is tried there by the quick tests and those of the resolver."""


@pytest.fixture(scope="module")
def home(
    request: pytest.FixtureRequest, upstream: Path, mlcflow_packages: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory
) -> Home:
    name = request.param
    base = tmp_path_factory.mktemp("identity")
    repository = base / "repo"
    shutil.copytree(cm_repo(), repository)
    if name == "upstream":
        shutil.rmtree(repository / "automation")
        meta = (repository / "cmr.yaml").read_text(encoding="utf-8").replace("alias: cm4tiny", "alias: identity")
        (repository / "cmr.yaml").write_text(meta, encoding="utf-8")
    keys = [f"CM_TINY_{name}" for name in OPTIONS] + ["CM_TINY_RESULTS_ROUND"]
    for alias, output in REPLACED.items():
        text = RECORDING.format(keys=keys, alias=alias, output=output)
        (repository / "script" / alias / "customize.py").write_text(text, encoding="utf-8")
    packages = {"upstream": (upstream,), "mlcr": mlcflow_packages}
    return Home(name, base, packages.get(name, ()), repository)


BUILD = "build,firmware,mlperf,tiny,cm4tiny"


def asked(new_env: dict[str, Any], key: str = "CM_TINY_FIRMWARE_RECORD") -> dict[str, str]:
    found: dict[str, str] = json.loads(Path(new_env[key]).read_text())
    return found


#: request, and what the image must have been made from where it differs from the default
CHANGES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "a RAM budget": ({"ram_budget": "100000"}, {"RAM_BUDGET": "100000"}),
    "another RAM budget": ({"ram_budget": "200K"}, {"RAM_BUDGET": "200K"}),
    "a tool chain": ({"toolchain": "zig"}, {"TOOLCHAIN": "zig"}),
    "a benchmark": ({"tags": f"{BUILD},_ic"}, {"MODEL": "ic"}),
    "an engine": ({"tags": f"{BUILD},_tflm"}, {"ENGINE": "tflm"}),
    "an image": ({"tags": f"{BUILD},_energy"}, {"IMAGE": "energy"}),
    "zeros": ({"tags": f"{BUILD},_keep_zeros"}, {"ZEROS": "keep_zeros"}),
    "pruned channels": ({"tags": f"{BUILD},_prune_channels"}, {"DEAD": "prune_channels"}),
    "low RAM": ({"tags": f"{BUILD},_low_ram"}, {"RAM_BUDGET": "128K"}),
    "tuning": ({"tune": True}, {"TUNING": "tuned"}),
    "no verification": ({"no_verify": "yes"}, {"NO_VERIFY": "yes"}),
    "a board": ({"env": {"CM_TINY_BOARD": "NUCLEO_L4R5ZI_P"}}, {"BOARD": "NUCLEO_L4R5ZI_P"}),
}
DEFAULT = {
    "MODEL": "kws", "ENGINE": "microtvm", "ASSETS": "embedded", "IMAGE": "performance", "RAM_BUDGET": "all", "ZEROS": "skip_zeros",
    "DEAD": "keep_channels", "TOOLCHAIN": "auto", "TUNING": "untuned", "NO_VERIFY": "no", "BOARD": "NUCLEO_L4R5ZI",
}  # fmt: skip


def options(record: dict[str, str]) -> dict[str, str]:
    return {name: record[f"CM_TINY_{name}"] for name in OPTIONS}


@by_tags
def test_each_changed_option_gets_its_own_image_and_the_same_one_again(home: Home) -> None:
    changed = [{"tags": BUILD, **request} for request, _ in CHANGES.values()]
    requests = [{"tags": BUILD}, *(request for change in changed for request in (change, {"tags": BUILD})), *changed]
    records = [options(asked(new_env)) for new_env in home.run(*requests)]
    expected = {name: {**DEFAULT, **differs} for name, (_, differs) in CHANGES.items()}
    assert records[0] == DEFAULT
    assert dict(zip(CHANGES, records[1 : -len(CHANGES) : 2], strict=True)) == expected
    assert records[2 : -len(CHANGES) : 2] == [DEFAULT] * len(CHANGES)
    assert dict(zip(CHANGES, records[-len(CHANGES) :], strict=True)) == expected
    assert home.ran.count("compile-mlperf-tiny-firmware") == 1 + len(CHANGES)


def models(benchmark: str) -> tuple[bytes, bytes]:
    """A model of the benchmark, and one of other content: a given model is checked before anything else is done."""
    one = embedded_model(benchmark).read_bytes()
    return one, one + bytes(4)


@by_tags
def test_another_content_of_a_given_model_is_another_image(home: Home, tmp_path: Path) -> None:
    model, other = tmp_path / "model.tflite", tmp_path / "other.tflite"
    given = {"tags": BUILD, "model": str(model)}
    one, two = models("kws")
    contents = []
    for content in (one, two, one):
        model.write_bytes(content)
        contents += [asked(new_env)["content"] for new_env in home.run(given, {"tags": BUILD})]
    other.write_bytes(two)
    contents += [asked(new_env)["content"] for new_env in home.run({"tags": BUILD, "model": str(other)})]
    first, second = hashlib.sha256(one).hexdigest(), hashlib.sha256(two).hexdigest()
    assert contents == [first, "", second, "", first, "", second]
    assert home.ran.count("compile-mlperf-tiny-firmware") <= 3


@everywhere
def test_another_table_of_costs_is_another_image(home: Home, tmp_path: Path) -> None:
    costs = tmp_path / "costs.json"
    shipped = (Path(microtvm.__file__).parent / SHIPPED).read_text(encoding="utf-8")
    for text in (shipped, shipped + "\n"):
        costs.write_text(text)
        home.run({"tags": BUILD, "costs": str(costs)}, {"tags": BUILD, "costs": str(costs)})
    assert home.ran.count("compile-mlperf-tiny-firmware") == 2


@by_tags
def test_tuning_a_given_model_is_not_taken_from_another_one(home: Home, tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    one, two = models("ad")
    found = []
    for content in (one, two, two):
        model.write_bytes(content)
        found += [
            asked(new_env, "CM_TINY_COSTS_FILE")["content"] for new_env in home.run({"tags": "tune,mlperf,tiny,_ad", "model": str(model)})
        ]
    assert found == [hashlib.sha256(content).hexdigest() for content in (one, two, two)]
    assert home.ran.count("measure-mlperf-tiny-kernels") == 2


@everywhere
def test_the_default_round_is_not_another_round_that_was_fetched_before(home: Home) -> None:
    default = {"tags": "get,mlperf,tiny,results,cm4tiny"}
    older = {"tags": "get,mlperf,tiny,results,cm4tiny,_v1.1"}
    found = [asked(new_env, "CM_TINYMLPERF_REPO_PATH") for new_env in home.run(older, default, older, default)]
    rounds = [record["CM_TINY_RESULTS_ROUND"] for record in found]
    assert rounds == ["v1.1", "v1.3", "v1.1", "v1.3"]
    assert home.ran == ["get-mlperf-tiny-results"] * 2


@everywhere
def test_the_default_tool_chain_and_library_are_not_others_that_were_made_before(home: Home) -> None:
    requests = [{"tags": "get,tiny,toolchain,cm4tiny,_debian"}, {"tags": "get,tiny,toolchain,cm4tiny"}]
    kinds = [asked(new_env, "CM_TINY_TOOLCHAIN_KIND")["CM_TINY_TOOLCHAIN"] for new_env in home.run(*requests, *requests)]
    assert kinds == ["debian", "auto"] * 2
    requests = [{"tags": "build,tiny,engine,library,cm4tiny,_tflm_cmsis_nn"}, {"tags": "build,tiny,engine,library,cm4tiny"}]
    engines = [asked(new_env, "CM_TINY_ENGINE_LIBRARY")["CM_TINY_ENGINE"] for new_env in home.run(*requests, *requests)]
    assert engines == ["tflm_cmsis_nn", "tflm"] * 2


@everywhere
def test_three_orders_of_variations_are_one_image(home: Home) -> None:
    orders = ("_vww,_keep_zeros,_energy", "_energy,_vww,_keep_zeros", "_keep_zeros,_energy,_vww")
    home.ran  # noqa: B018 - forget what ran before
    records = [options(asked(new_env)) for new_env in home.run(*({"tags": f"{BUILD},{order}"} for order in orders))]
    assert records == [{**DEFAULT, "MODEL": "vww", "ZEROS": "keep_zeros", "IMAGE": "energy"}] * 3
    assert home.ran.count("compile-mlperf-tiny-firmware") == 1
