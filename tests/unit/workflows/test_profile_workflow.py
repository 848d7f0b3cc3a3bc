# SPDX-License-Identifier: Apache-2.0
"""What the step's env means, which errors it gives, and the files it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.profiles import profile
from support.tiny_elf import tiny_elf

from cm4tiny.boards.virtual.loader import FunctionSymbol
from cm4tiny.boards.virtual.trace import TraceCost, TraceKind, TraceSegment
from cm4tiny.cm import Step
from cm4tiny.errors import AssetError, ModelError, ResultsError, RunnerError, UsageError
from cm4tiny.events import SILENT, Event, EventStream, Message
from cm4tiny.profiling.assemble import calls_of
from cm4tiny.profiling.measure import ProfileRequest, model_inside
from cm4tiny.profiling.roots import Root
from cm4tiny.workflows import profile_mlperf_tiny as workflow
from cm4tiny.workflows.profile_mlperf_tiny import ProfileOptions, ProfileRun, profile_run, run_profiles, write_profile


def read(env: dict[str, str], events: EventStream | None = None) -> ProfileRun:
    return profile_run(Step(env, SILENT, Path.cwd()).options(ProfileOptions), events or EventStream())


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    """An image with the record of its build."""
    path = tmp_path / "build" / "kws-performance.elf"
    path.parent.mkdir()
    path.write_bytes(tiny_elf())
    record(path, "microtvm")
    return path


def record(path: Path, engine: str, sha256: str = "") -> None:
    import hashlib

    content = {
        "engine": engine,
        "layers": [{"name": "l0", "macs": 3}],
        "elf": {"name": path.name, "sha256": sha256 or hashlib.sha256(path.read_bytes()).hexdigest()},
    }
    (path.parent / "firmware.json").write_text(json.dumps(content))


def test_a_benchmark_is_profiled_with_what_its_build_knows(elf: Path, tmp_path: Path) -> None:
    env = {"CM_TINY_BENCHMARK": "kws", "CM_TINY_FIRMWARE_KWS_PERFORMANCE": str(elf), "CM_TINY_OUTDIR": str(tmp_path / "out")}
    run = read(env)
    ((name, request),) = run.requests
    assert name == "kws-microtvm"
    assert (request.image, request.engine, request.layers) == (elf, "microtvm", ({"name": "l0", "macs": 3},))
    assert run.out == tmp_path / "out" / "profile"


def test_the_energy_image_will_do_where_there_is_no_other(elf: Path) -> None:
    ((_, request),) = read({"CM_TINY_BENCHMARK": "kws", "CM_TINY_FIRMWARE_KWS_ENERGY": str(elf)}).requests
    assert request.image == elf


def test_without_a_benchmark_all_are_profiled(elf: Path) -> None:
    run = read({f"CM_TINY_FIRMWARE_{b}_PERFORMANCE": str(elf) for b in ("AD", "IC", "KWS", "VWW")})
    assert [name for name, _ in run.requests] == ["ad-microtvm", "ic-microtvm", "kws-microtvm", "vww-microtvm"]


def test_an_image_of_the_users_needs_no_record(tmp_path: Path) -> None:
    image, model = tmp_path / "mine.elf", tmp_path / "mine.tflite"
    image.write_bytes(tiny_elf())
    model.write_bytes(b"model")
    env = {
        "CM_TINY_IMAGE_FILE": str(image),
        "CM_TINY_MODEL_FILE": str(model),
        "CM_TINY_PROFILE_ROOT": "run",
        "CM_TINY_PROFILE_SYMBOLS": "/s.elf",
    }
    ((name, request),) = read(env).requests
    assert name == "mine"
    assert request == ProfileRequest(image, Path("/s.elf"), "run", model=b"model")


def test_a_record_of_another_image_is_not_used_and_that_is_said(elf: Path) -> None:
    record(elf, "microtvm", sha256="0" * 64)
    heard: list[Event] = []
    ((name, request),) = read({"CM_TINY_IMAGE_FILE": str(elf)}, EventStream(heard.append)).requests
    assert (name, request.engine, request.layers) == ("kws-performance", "", ())
    assert any(isinstance(event, Message) and event.level == "warning" and "firmware.json" in event.text for event in heard)


def test_a_record_of_an_older_build_has_no_layers(elf: Path) -> None:
    content = json.loads((elf.parent / "firmware.json").read_text())
    del content["layers"]
    (elf.parent / "firmware.json").write_text(json.dumps(content))
    ((_, request),) = read({"CM_TINY_IMAGE_FILE": str(elf)}).requests
    assert (request.engine, request.layers) == ("microtvm", ())


def test_octomls_layers_are_matched_with_the_official_model(elf: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record(elf, "octoml_native")
    model = tmp_path / "official.tflite"
    model.write_bytes(b"official")
    monkeypatch.setattr(workflow, "model_file", lambda benchmark, kind, source: model)
    env = {"CM_TINY_BENCHMARK": "kws", "CM_TINY_FIRMWARE_KWS_PERFORMANCE": str(elf)}
    ((name, request),) = read(env).requests
    assert (name, request.model) == ("kws-octoml_native", b"official")


def test_without_the_official_model_the_profile_goes_on_and_says_so(elf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(benchmark: str, kind: str, source: object) -> Path:
        raise AssetError("no network", hint="get one")

    record(elf, "octoml_native")
    monkeypatch.setattr(workflow, "model_file", absent)
    heard: list[Event] = []
    env = {"CM_TINY_BENCHMARK": "kws", "CM_TINY_FIRMWARE_KWS_PERFORMANCE": str(elf)}
    ((_, request),) = read(env, EventStream(heard.append)).requests
    assert request.model == b""
    assert any(isinstance(event, Message) and "no network" in event.text for event in heard)


@pytest.mark.parametrize(
    ("env", "error", "what", "hint"),
    [
        ({"CM_TINY_BENCHMARK": "kwz"}, UsageError, "no benchmark 'kwz'", "kws"),
        ({"CM_TINY_BENCHMARK": "kws"}, UsageError, "CM_TINY_FIRMWARE_KWS_PERFORMANCE is not set", "build,firmware,mlperf,tiny,_kws"),
        ({"CM_TINY_IMAGE_SET": "bosch-v1.2"}, UsageError, "bosch-v1.2 cannot be profiled", "--image=FILE.elf"),
        ({"CM_TINY_IMAGE_FILE": "x.elf", "CM_TINY_MODEL_FILE": "/nowhere/m.tflite"}, ModelError, "/nowhere/m.tflite", "tflite"),
    ],
)
def test_what_cannot_be_profiled_is_refused_with_a_hint(env: dict[str, str], error: type[Exception], what: str, hint: str) -> None:
    with pytest.raises(error) as caught:
        read(env)
    assert what in str(caught.value)
    assert hint in caught.value.hint  # type: ignore[attr-defined]


def test_a_profile_is_four_files_and_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workflow, "measure_profile", lambda request, events: profile())
    ((folder, text),) = run_profiles(ProfileRun((("kws-x", ProfileRequest(tmp_path / "x.elf")),), tmp_path / "profile"), width=80)
    assert folder == tmp_path / "profile" / "kws-x"
    assert sorted(path.name for path in folder.iterdir()) == ["profile.html", "profile.json", "profile.svg", "profile.txt"]
    assert "most of it in" in (folder / "profile.txt").read_text(encoding="utf-8")
    assert "most of it in" not in text
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_profile(profile(), folder)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}  # the same again


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResultsError, match="cannot write"):
        write_profile(profile(), tmp_path / "file" / "kws")


# --- what the calls of the root say ---------------------------------------------------------------------------------------------------

ROOT = Root(FunctionSymbol(0x0800_0100, 64, "_ZN1a3runEv"))


def call(number: int, complete: bool = True) -> TraceSegment:
    return TraceSegment(number, TraceKind.WHOLE, 0x0800_0100, complete, TraceCost(1000, 10))


@pytest.mark.parametrize(
    ("calls", "what"),
    [
        ([], "the firmware never called a::run"),
        ([call(1), call(2, complete=False)], "a::run did not return"),
        ([call(1), call(2), call(3)], "a::run was called 3 times by 2 inferences"),
    ],
)
def test_a_root_that_does_not_run_once_per_inference_is_refused(calls: list[TraceSegment], what: str) -> None:
    with pytest.raises(RunnerError, match=what) as caught:
        calls_of(calls, ROOT, 2)
    assert "--root=NAME" in caught.value.hint


def test_a_model_inside_an_image_is_found_if_there_is_one() -> None:
    from cm4tiny.benchmarks import embedded_model

    model = embedded_model("kws").read_bytes()
    assert model_inside([(0x0800_0000, bytes(64) + model + bytes(100))]) is not None
    assert model_inside([(0x0800_0000, bytes(62) + model)]) is None  # at no multiple of four
    assert model_inside([(0x0800_0000, model + bytes(-len(model) % 4) + model)]) is None
    assert model_inside([(0x0800_0000, b"....TFL3 is but a word")]) is None
