# SPDX-License-Identifier: Apache-2.0
"""Profiles of real images on the virtual board: the sums hold, and what cannot be profiled says why."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from support.firmware_stubs import stub_model
from support.tiny_elf import tiny_elf

from cm4tiny.benchmarks import embedded_model
from cm4tiny.errors import Cm4TinyError, DeadlineError, DeviceFaultError, FirmwareError, ModelError, ProtocolError, RunnerError, UsageError
from cm4tiny.firmware.build import build_firmware
from cm4tiny.firmware.build_spec import BuildSpec, build, read_record
from cm4tiny.firmware.toolchain import Toolchain, find_toolchain
from cm4tiny.images import measure
from cm4tiny.profiling import Profile, ProfileRequest, measure_profile
from cm4tiny.profiling.model import SCHEMA_FILE, Cost
from cm4tiny.profiling.text import table

FAR = "static __attribute__((noinline, noclone)) void"
LAYERS = f"""
static const int8_t weights[64] = {{1, 2, 3, 4}};
{FAR} layer0(const int8_t *from, int8_t *to) {{ for (int i = 0; i < 12; ++i) to[i] = (int8_t)(from[i] + weights[i]); }}
{FAR} layer1(int8_t *to) {{ for (int i = 0; i < 12; ++i) to[i] = (int8_t)(to[i] ^ weights[i + 32]); }}
"""
RUN = "void cm4tiny_model_run(const int8_t *input, int8_t *output)\n"
TWO_LAYERS = LAYERS + RUN + "{ layer0(input, output); layer1(output); }\n"


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    return find_toolchain("path")


Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def make(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """An image of the kws benchmark with this C code for a model."""
    from cm4tiny.benchmarks import get_benchmark

    done: dict[str, Path] = {}

    def of(body: str) -> Path:
        if body not in done:
            folder = tmp_path_factory.mktemp("image")
            model = stub_model("kws", body=body)
            done[body] = build_firmware(get_benchmark("kws"), model, mode="performance", toolchain=toolchain, out_dir=folder).elf
        return done[body]

    return of


@pytest.fixture(scope="module")
def kws(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Profile]:
    """This project's own engine with the embedded model, and its profile."""
    elf = build(BuildSpec("kws", "microtvm", "performance", str(embedded_model("kws")), "path"), tmp_path_factory.mktemp("kws")).elf
    known = read_record(elf)
    return elf, measure_profile(ProfileRequest(elf, engine=known["engine"], layers=known["layers"]))


def sums(profile: Profile) -> Cost:
    parts = [*(layer.cost for layer in profile.layers), profile.own, *([profile.interrupts] if profile.interrupts else [])]
    return Cost(*(sum(getattr(part, name) for part in parts) for name in Cost.__dataclass_fields__))


def test_layers_and_what_lies_between_add_up_to_the_inference(kws: tuple[Path, Profile]) -> None:
    _, profile = kws
    assert sums(profile) == profile.whole
    assert [layer.name for layer in profile.layers] == [str(layer["name"]) for layer in read_record(kws[0])["layers"]]
    assert profile.macs == sum(layer["macs"] for layer in read_record(kws[0])["layers"]) > 1_000_000
    assert profile.own.cycles < 0.01 * profile.whole.cycles
    assert profile.notes == ()


def test_the_profile_is_what_a_window_measures(kws: tuple[Path, Profile]) -> None:
    elf, profile = kws
    row = measure(elf, "kws", row_id="kws", constants=False)
    assert profile.outside_cycles is not None
    assert 0 < profile.outside_cycles < 2000
    assert profile.whole.cycles + profile.outside_cycles == pytest.approx(row.cycles, rel=1e-3)
    assert profile.whole.instructions == pytest.approx(row.instructions, rel=1e-3)
    assert profile.hclk_hz / (profile.whole.cycles + profile.outside_cycles) == pytest.approx(row.predicted, rel=1e-3)


def test_what_a_layer_uses_is_at_least_its_constants_and_its_output(kws: tuple[Path, Profile]) -> None:
    _, profile = kws
    for layer in profile.layers:
        assert layer.stored_bytes is not None
        used = layer.footprint.const_bytes + layer.footprint.ram_bytes  # weights may be in either
        if layer.macs:
            assert used >= 0.95 * layer.stored_bytes + math.prod(layer.output_shape)  # padding of a table is never read
        assert layer.footprint.ram_bytes >= math.prod(layer.output_shape)
        assert 0 < layer.footprint.code_bytes < 5000
    assert profile.footprint.code_bytes < sum(layer.footprint.code_bytes for layer in profile.layers)


def test_helpers_are_work_between_the_layers(make: Make) -> None:
    body = LAYERS + RUN + "{ static volatile unsigned n = 12; layer0(input, output); memcpy(output, input, n); layer1(output); }\n"
    with_copy, without = measure_profile(ProfileRequest(make(body))), measure_profile(ProfileRequest(make(TWO_LAYERS)))
    assert [layer.name for layer in with_copy.layers] == ["layer0", "layer1"]
    assert sums(with_copy) == with_copy.whole
    assert with_copy.own.instructions > without.own.instructions + 12


def test_a_second_profile_is_the_same(make: Make) -> None:
    elf = make(TWO_LAYERS)
    first, second = (measure_profile(ProfileRequest(elf)).json_text() for _ in range(2))
    assert first == second
    jsonschema.validate(json.loads(first), json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def test_an_image_without_a_record_has_layers_without_macs(make: Make) -> None:
    profile = measure_profile(ProfileRequest(make(TWO_LAYERS)))
    assert [layer.name for layer in profile.layers] == ["layer0", "layer1"]
    assert [layer.macs for layer in profile.layers] == [None, None]
    assert (profile.benchmark, profile.engine, profile.match) == ("kws", "microTVM of this project", "")
    assert "not matched" in table(profile)


def test_layers_that_the_build_does_not_know_stay_unnamed(make: Make) -> None:
    known = [{"name": "layer0", "kind": "conv", "macs": 12, "ram_bytes": 5}, {"name": "layer9", "kind": "conv", "macs": 12}]
    profile = measure_profile(ProfileRequest(make(TWO_LAYERS), layers=known))
    assert [layer.macs for layer in profile.layers] == [12, None]
    assert profile.layers[0].planned == {"ram_bytes": 5}
    assert profile.macs is None
    assert "1 callees" in profile.notes[0]


# --- other forms of the image ----------------------------------------------------------------------------------------------------------


def convert(elf: Path, target: Path, *options: str) -> Path:
    subprocess.run(["arm-none-eabi-objcopy", *options, str(elf), str(target)], check=True, capture_output=True)
    return target


FORMS = {"image.bin": ("-O", "binary"), "image.hex": ("-O", "ihex"), "stripped.elf": ("--strip-all",)}


@pytest.mark.parametrize("name", FORMS)
def test_an_image_without_symbols_is_refused_or_gets_them_from_its_elf(make: Make, tmp_path: Path, name: str) -> None:
    elf = make(TWO_LAYERS)
    image = convert(elf, tmp_path / name, *FORMS[name])
    with pytest.raises(FirmwareError, match="has no symbols") as caught:
        measure_profile(ProfileRequest(image))
    assert "--symbols=FILE.elf" in caught.value.hint
    profile = measure_profile(ProfileRequest(image, symbols=elf))
    assert profile.image == name
    assert profile.whole == measure_profile(ProfileRequest(elf)).whole


def test_symbols_of_another_build_are_refused(make: Make, tmp_path: Path) -> None:
    image = convert(make(TWO_LAYERS), tmp_path / "image.bin", "-O", "binary")
    other = make(TWO_LAYERS.replace("12", "11"))
    with pytest.raises(FirmwareError, match="not the ELF that") as caught:
        measure_profile(ProfileRequest(image, symbols=other))
    assert "same build" in caught.value.hint


# --- what goes wrong --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "root", "error", "what"),
    [
        (RUN + "{ memcpy(output, input, 12); }\n", "", RunnerError, "cm4tiny_model_run calls no layers"),
        (LAYERS + RUN + "{ layer0(input, output); *(volatile int *)0x90000000 = 1; layer1(output); }\n", "", DeviceFaultError, "crashed"),
        (LAYERS + RUN + "{ layer0(input, output); layer1(output); for (;;) { } }\n", "", DeadlineError, "(cm4tiny_model_run+"),
        (TWO_LAYERS, "fault_report", RunnerError, "the firmware never called fault_report"),
        (TWO_LAYERS, "start", RunnerError, "the firmware never called start"),
        (TWO_LAYERS, "layer1", RunnerError, "layer1 calls no layers"),
        (TWO_LAYERS, "layer2", UsageError, "has no function 'layer2'"),
    ],
)
def test_firmware_that_does_not_infer_is_refused(make: Make, body: str, root: str, error: type[Cm4TinyError], what: str) -> None:
    with pytest.raises(error) as caught:
        measure_profile(ProfileRequest(make(body), root=root))
    assert what in str(caught.value), str(caught.value)
    assert caught.value.hint


def test_a_crash_says_in_which_layer(make: Make) -> None:
    body = (
        LAYERS + f"{FAR} bad(void) {{ *(volatile int *)0x90000000 = 1; }}\n" + RUN + "{ layer0(input, output); bad(); layer1(output); }\n"
    )
    with pytest.raises(DeviceFaultError, match="crashed") as caught:
        measure_profile(ProfileRequest(make(body)))
    assert "bad" in caught.value.why


def test_a_function_that_does_not_run_once_per_inference_is_refused(make: Make) -> None:
    body = LAYERS + f"static int n;\n{FAR} extra(int8_t *to) {{ layer1(to); layer1(to); }}\n"
    body += RUN + "{ layer0(input, output); if (++n == 2) extra(output); layer1(output); }\n"
    with pytest.raises(RunnerError, match="extra was called 1 times by 2 inferences"):
        measure_profile(ProfileRequest(make(body), root="extra"))


def test_a_function_that_runs_twice_per_inference_says_so(make: Make) -> None:
    body = LAYERS + f"{FAR} half(const int8_t *from, int8_t *to) {{ layer0(from, to); layer1(to); }}\n"
    body += RUN + "{ half(input, output); half(output, output + 12 - 12); }\n"
    profile = measure_profile(ProfileRequest(make(body), root="half"))
    assert profile.notes[0] == "half runs 2 times per inference; the last is shown"
    assert sums(profile) == profile.whole


def test_an_image_of_no_known_engine_is_refused(make: Make, tmp_path: Path) -> None:
    image = convert(make(TWO_LAYERS), tmp_path / "renamed.elf", "--redefine-sym", "cm4tiny_model_run=go")
    with pytest.raises(FirmwareError, match=r"no function of renamed\.elf is known"):
        measure_profile(ProfileRequest(image))
    assert len(measure_profile(ProfileRequest(image, root="go")).layers) == 2


def test_an_image_that_answers_as_no_benchmark_is_refused(make: Make, tmp_path: Path) -> None:
    elf = make(TWO_LAYERS)
    (tmp_path / "other.elf").write_bytes(elf.read_bytes().replace(b"kws01", b"xyz01"))
    with pytest.raises(ProtocolError, match="'xyz01', which belongs to no benchmark") as caught:
        measure_profile(ProfileRequest(tmp_path / "other.elf"))
    assert "kws01" in caught.value.why


def test_a_damaged_model_file_or_image_is_named(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no(t a)? \.tflite|damaged"):
        measure_profile(ProfileRequest(make(TWO_LAYERS), model=b"what"))
    (tmp_path / "tiny.elf").write_bytes(tiny_elf())
    with pytest.raises(FirmwareError, match="no symbols"):
        measure_profile(ProfileRequest(tmp_path / "tiny.elf"))
    with pytest.raises(FirmwareError, match="cannot be read"):
        measure_profile(ProfileRequest(tmp_path / "nothing.elf"))
