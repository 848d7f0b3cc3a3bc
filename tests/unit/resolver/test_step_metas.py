# SPDX-License-Identifier: Apache-2.0
"""The metas of this project's steps: what they name exists, and what users and caches rely on does not change unseen."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from cm4tiny.paths import cm_repo
from cm4tiny.resolver.catalogue.repository import ScriptStore, own_repositories
from cm4tiny.resolver.catalogue.selection import select
from cm4tiny.resolver.language.query import ScriptQuery

ROOT = Path(__file__).parents[3]
METAS: dict[str, dict[str, Any]] = {
    path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(cm_repo().glob("script/*/_cm.yaml"))
}
UIDS = {
    "build-mlperf-tiny-firmware": "f2d6b1d3317a9e8e",
    "build-tiny-engine-library": "7cabbb3cadbb805b",
    "check-mlperf-tiny-submission": "0483067038374de5",
    "collect-mlperf-tiny-results": "186c617d88aa206e",
    "compile-mlperf-tiny-firmware": "5e0b7c92d4f1a638",
    "doctor-mlperf-tiny": "76551cc73f9abeac",
    "flash-tinyml-binary": "f5af0c47f9361d6d",
    "generate-mlperf-tiny-report": "2761d9bf8f39450f",
    "generate-mlperf-tiny-submission": "b0c81798e35a4742",
    "get-dataset-cifar10": "ae52e7f3d53c5738",
    "get-microtvm": "d24dec983d2f6737",
    "get-mlperf-tiny-dataset": "8c6e3c38551ada05",
    "get-mlperf-tiny-eembc-energy-runner-src": "104a7350dd126b67",
    "get-mlperf-tiny-model": "98726176d6077a61",
    "get-mlperf-tiny-published-images": "c321c800d44bfb3e",
    "get-mlperf-tiny-results": "d234373b89356cb3",
    "get-mlperf-tiny-src": "03e85b4140bceba3",
    "get-tiny-board": "3758c7525ffda914",
    "get-tiny-engine-src": "b92bbdfa59b7522a",
    "get-tiny-input-identity": "c7a9150e2b84f36d",
    "get-tiny-toolchain": "b10ccec6edb45d9a",
    "import-mlperf-tiny-to-experiment": "d9ca29143fdec0d6",
    "measure-mlperf-tiny-kernels": "8d2f64b1c09e7a53",
    "predict-tiny-model": "e3b1a7c05d9f4826",
    "profile-mlperf-tiny": "11acfd159256a1ab",
    "replay-mlperf-tiny": "a640b9d4a19d7bea",
    "reproduce-mlperf-tiny": "51cc18258c9c6a32",
    "run-mlperf-tiny-image": "b748399f42391964",
    "run-mlperf-tiny": "a2259990768d1803",
    "tune-mlperf-tiny": "6d0906158e90d968",
    "verify-mlperf-tiny": "c41f6b0e7a9d4c58",
    "view-mlperf-tiny": "6177d9f07aa10463",
}
"""Other repositories, lock files and caches name a step by its uid: it never changes."""
CATEGORIES = {"AI/ML datasets", "AI/ML models", "MLPerf benchmark support", "Reproduce MLPerf benchmarks", "TinyML automation"}
CACHED = {
    "build-tiny-engine-library",
    "compile-mlperf-tiny-firmware",
    "get-mlperf-tiny-results",
    "get-tiny-toolchain",
    "measure-mlperf-tiny-kernels",
}
BEFORE_UPSTREAM = {"reproduce-mlperf-tiny": -1, "run-mlperf-tiny": -1}
DEFAULTS = {
    "doctor-mlperf-tiny": {"board": "NUCLEO"},
    "build-tiny-engine-library": {"engine": "tflm"},
    "flash-tinyml-binary": {"board": "virtual"},
    "get-dataset-cifar10": {"data_format": "python"},
    "get-mlperf-tiny-dataset": {"benchmark": "kws", "assets": "embedded"},
    "get-mlperf-tiny-model": {"benchmark": "ic", "precision": "int8", "assets": "embedded"},
    "get-mlperf-tiny-results": {"round": "v1.3"},
    "get-tiny-board": {"board": "virtual"},
    "get-tiny-toolchain": {"kind": "auto"},
    "reproduce-mlperf-tiny": {"benchmark": "all", "mode": "standard", "engine": "microtvm", "board": "virtual", "assets": "embedded"},
    "build-mlperf-tiny-firmware": {"engine": "microtvm", "assets": "embedded", "image": "performance"},
    "profile-mlperf-tiny": {"benchmark": "all", "engine": "microtvm", "assets": "embedded"},
    "run-mlperf-tiny": {"benchmark": "all", "mode": "standard", "board": "virtual"},
    "run-mlperf-tiny-image": {"benchmark": "all", "mode": "standard"},
    "tune-mlperf-tiny": {"assets": "embedded"},
}
KERNELS = {"CM_TINY_MODEL": "kws", "CM_TINY_ASSETS": "embedded", "CM_TINY_MODEL_SHA256": "benchmark", "CM_TINY_TOOLCHAIN": "auto"} | {
    "CM_TINY_ZEROS": "skip_zeros",
    "CM_TINY_DEAD": "keep_channels",
}
DEFAULT_ENV = {
    "build-tiny-engine-library": {"CM_TINY_TOOLCHAIN": "auto"},
    "compile-mlperf-tiny-firmware": {
        "CM_TINY_BOARD": "NUCLEO_L4R5ZI",
        "CM_TINY_ENGINE": "microtvm",
        "CM_TINY_IMAGE": "performance",
        "CM_TINY_COSTS_SHA256": "shipped",
        "CM_TINY_TUNING": "untuned",
        "CM_TINY_RAM_BUDGET": "all",
        "CM_TINY_NO_VERIFY": "no",
        "CM_TINY_MODEL_NAME": "benchmark",
    }
    | KERNELS,
    "get-tiny-board": {"CM_TINY_BOARD": "NUCLEO_L4R5ZI"},
    "measure-mlperf-tiny-kernels": KERNELS,
    "predict-tiny-model": {"CM_TINY_TOOLCHAIN": "auto"},
    "profile-mlperf-tiny": {"CM_TINY_IMAGE": "performance"},
    "reproduce-mlperf-tiny": {"CM_TINY_IMAGE": "performance"},
}
CACHE_TAGS = {
    "CM_TINY_ASSETS": "assets-",
    "CM_TINY_BOARD": "board-",
    "CM_TINY_COSTS_SHA256": "costs-",
    "CM_TINY_DEAD": "dead-",
    "CM_TINY_ENGINE": "engine-",
    "CM_TINY_IMAGE": "image-",
    "CM_TINY_MODEL": "benchmark-",
    "CM_TINY_MODEL_NAME": "named-",
    "CM_TINY_MODEL_SHA256": "model-",
    "CM_TINY_NO_VERIFY": "no-verify-",
    "CM_TINY_RAM_BUDGET": "ram-budget-",
    "CM_TINY_RESULTS_ROUND": "round-",
    "CM_TINY_TOOLCHAIN": "toolchain-",
    "CM_TINY_TUNING": "tuning-",
    "CM_TINY_VERSION": "cm4tiny-",
    "CM_TINY_ZEROS": "zeros-",
}
"""What tells cached results apart."""
NAMES = {
    "board",
    "collect",
    "compile",
    "engine-library",
    "engine-src",
    "images",
    "input-identity",
    "measure",
    "microtvm",
    "model",
    "profile",
    "results",
    "run",
    "toolchain",
    "tune",
} | {
    f"{kind}{more}"
    for kind in ("dataset", "firmware")
    for more in ("", "-ad", "-ic", "-kws", "-vww", "-ic02", "-own")
    if (kind, more) != ("dataset", "-own")
}
ROUND = re.compile(r"results-v\d\.\d")
CONDITIONS = ("enable_if_env", "skip_if_env", "enable_if_any_env", "skip_if_any_env")


def dependencies(meta: dict[str, Any]) -> list[dict[str, Any]]:
    return [*meta.get("deps", []), *meta.get("post_deps", [])]


def keys_of(meta: dict[str, Any]) -> dict[str, set[str]]:
    """Env key -> the values that the meta gives it; a flag's may have any. In a condition, yes and on mean any."""
    found: dict[str, set[str]] = defaultdict(set)
    for part in (meta, *meta.get("variations", {}).values()):
        for key, value in {**part.get("env", {}), **part.get("default_env", {})}.items():
            found[key].add(value)
    for key in meta.get("input_mapping", {}).values():
        found[key] |= {"yes", "on"}
    return found


KEYS: dict[str, set[str]] = defaultdict(set)
for _meta in METAS.values():
    for _key, _values in keys_of(_meta).items():
        KEYS[_key] |= _values


def test_what_users_and_caches_rely_on_stays() -> None:
    assert {name: meta["uid"] for name, meta in METAS.items()} == UIDS
    assert {name: meta["alias"] for name, meta in METAS.items()} == {name: name for name in UIDS}
    assert {name for name, meta in METAS.items() if meta["cache"]} == CACHED
    assert {name: meta["sort"] for name, meta in METAS.items() if "sort" in meta} == BEFORE_UPSTREAM
    assert {meta["category"] for meta in METAS.values()} == CATEGORIES
    repository = yaml.safe_load((cm_repo() / "cmr.yaml").read_text(encoding="utf-8"))
    assert repository == {"alias": "cm4tiny", "uid": "c4a1b7d2e5f34096", "git": True}
    assert {(meta["automation_alias"], meta["automation_uid"]) for meta in METAS.values()} == {("script", "5b4e0237da074764")}


def test_cm_finds_the_automations_by_the_same_names() -> None:
    found = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in cm_repo().glob("automation/*/_cm.json")}
    same = {"automation_alias": "automation", "automation_uid": "bbeb15d8f0a944a4", "tags": ["automation"]}
    for meta in found.values():
        assert meta.pop("desc")
    assert found == {
        "cache": {"alias": "cache", "uid": "c7d29b4a75fe4507"} | same,
        "script": {"alias": "script", "uid": "c580d6eee46e4c8c", "actions_with_help": ["run"]} | same,
        "tinyscript": {"alias": "tinyscript", "uid": "d4361c9bc1584c1a", "actions_with_help": ["run"]} | same,
    }


def test_a_request_without_variations_means_the_default_of_each_group() -> None:
    groups = {
        name: {row["group"]: variation for variation, row in meta.get("variations", {}).items() if row.get("default")}
        for name, meta in METAS.items()
    }
    assert {name: found for name, found in groups.items() if found} == DEFAULTS
    assert {name: meta["default_env"] for name, meta in METAS.items() if meta.get("default_env")} == DEFAULT_ENV


def test_cached_results_are_told_apart_by_keys_that_have_a_value() -> None:
    seen = {}
    for name, meta in METAS.items():
        for row in meta.get("extra_cache_tags_from_env", []):
            assert row["env"] in keys_of(meta), f"{name}: {row['env']}"
            assert row["prefix"] == CACHE_TAGS[row["env"]]
            seen[row["env"]] = row["prefix"]
    assert seen == CACHE_TAGS


@pytest.mark.parametrize("name", METAS)
def test_conditions_and_passed_on_keys_are_set_somewhere(name: str) -> None:
    for row in dependencies(METAS[name]):
        assert all(word in NAMES or ROUND.fullmatch(word) for word in row.get("names", [])), row
        for condition in CONDITIONS:
            for key, values in row.get(condition, {}).items():
                assert KEYS[key] and set(values) <= KEYS[key] | {"yes", "on"}, f"{key} never is {set(values) - KEYS[key]}"
        for keys in row.get("update_tags_from_env_with_prefix", {}).values():
            assert all(KEYS[key] for key in keys), row


def test_a_dependency_is_exactly_one_step_with_these_variations() -> None:
    store = ScriptStore(own_repositories())
    for meta in METAS.values():
        for row in dependencies(meta):
            words = row["tags"].split(",")
            found = select(store, ScriptQuery.parse(",".join(word for word in words if word[0] != "_")))
            assert {word[1:] for word in words if word[0] == "_"} <= set(METAS[found.alias].get("variations", {})), row["tags"]


def test_variations_that_stand_for_others_name_them() -> None:
    for meta in METAS.values():
        variations = meta.get("variations", {})
        for name, row in variations.items():
            assert set(row.get("base", [])) | ({row["alias"]} if "alias" in row else set()) <= set(variations), name
            for group, chosen in row.get("default_variations", {}).items():
                assert variations[chosen]["group"] == group, name


def test_keys_that_a_step_gives_are_those_that_code_or_a_meta_sets() -> None:
    files = [*(ROOT / "src").rglob("*.py"), *cm_repo().rglob("customize.py")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    for name, meta in METAS.items():
        for key in meta.get("new_env_keys", []):
            stem = key.rstrip("*")
            built = stem.rpartition("_")[0] + "_{"  # f"CM_TINY_REPLAY_{kind.upper()}"
            assert stem in text or built in text or stem in KEYS, f"{name}: {key}"
