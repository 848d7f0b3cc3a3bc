# SPDX-License-Identifier: Apache-2.0
"""Every image is executed before it may be used: what passes, what does not, and what the record says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import tiny_tflite as tt
from firmware_stubs import stub_model
from tiny_images import build_image, tool_chain

from cm4tiny.benchmarks import embedded_model, get_benchmark
from cm4tiny.errors import DeviceFaultError, UsageError, VerificationError
from cm4tiny.firmware.build import build_firmware
from cm4tiny.firmware.build_spec import BuildSpec, read_record
from cm4tiny.firmware.build_spec import build as build_unverified
from cm4tiny.firmware.inference_code import TensorInfo
from cm4tiny.firmware.microtvm import compile_model
from cm4tiny.verification import build, run_image, verify_image, wanted
from cm4tiny.verification.comparison import candidate_inputs, choose_inputs, compare
from cm4tiny.verification.image_run import SetUpError, as_sent

KWS = get_benchmark("kws")


def small_model() -> bytes:
    rng = np.random.default_rng(3)
    g = tt.TinyTflite()
    x = g.tensor("x", (1, 4, 6, 2), "int8", 0.05, -3)
    w = g.tensor("w", (4, 3, 3, 2), "int8", 0.01, data=rng.integers(-127, 128, (4, 3, 3, 2)))
    b = g.tensor("b", (4,), "int32", 0.0005, data=rng.integers(-500, 500, 4))
    y = g.tensor("y", (1, 4, 6, 4), "int8", 0.08, 2)
    z = g.tensor("z", (1, 2, 12, 4), "int8", 0.08, 2)
    p = g.tensor("p", (1, 1, 6, 4), "int8", 0.08, 2)
    tt.conv(g, x, w, b, y, padding="SAME", strides=(1, 1))
    tt.reshape(g, y, z, (1, 2, 12, 4))
    tt.average_pool(g, z, p, size=(2, 2), strides=(2, 2))
    return g.build([x], [p])


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return build_image(small_model(), tmp_path_factory.mktemp("good"))


def test_a_right_image_passes_on_several_inputs_exactly(good):
    image, benchmark, tensors = good
    found = verify_image(image.elf, benchmark, "microtvm", small_model(), tensors)
    assert (found.differing, found.largest, found.inputs) == (0, 0, 3)
    assert found.values == 3 * 24
    assert found.record()["verified"] is True


def damaged_constant(source: str) -> tuple[str, str]:
    """The first word of weights becomes zero."""
    start = source.index("static const int32_t layer")
    brace = source.index("{", start) + 2
    end = source.index(",", brace)
    return source[start:end], source[start:brace] + "0"


def damaged_call(source: str) -> tuple[str, str]:
    return "layer00_widen(input,", "layer00_widen(input + 4,"


@pytest.mark.parametrize("damage", [damaged_constant, damaged_call])
def test_a_wrong_image_is_refused(damage, tmp_path):
    image, benchmark, tensors = build_image(small_model(), tmp_path, damage=damage(compile_model(small_model()).source))
    with pytest.raises(VerificationError, match="does not compute what its model says") as caught:
        verify_image(image.elf, benchmark, "microtvm", small_model(), tensors)
    assert "output values on 3 inputs differ" in caught.value.why


def test_a_layer_that_is_never_called_is_noticed(tmp_path):
    source = compile_model(small_model()).source
    call = next(line for line in source.splitlines() if line.startswith("    layer02"))
    image, benchmark, tensors = build_image(small_model(), tmp_path, damage=(call, ""))
    with pytest.raises(VerificationError):
        verify_image(image.elf, benchmark, "microtvm", small_model(), tensors)


def test_an_image_of_another_model_is_refused(good):
    image, benchmark, tensors = good
    weights = np.random.default_rng(3).integers(-127, 128, (4, 3, 3, 2)).astype(np.int8).tobytes()
    other = small_model().replace(weights, bytes(16) + weights[16:])
    assert other != small_model()
    with pytest.raises(VerificationError):
        verify_image(image.elf, benchmark, "microtvm", other, tensors)


def test_an_image_without_symbols_is_not_verified_by_luck(good, tmp_path):
    image, benchmark, tensors = good
    strip = shutil.which("arm-none-eabi-strip")
    if strip is None:
        pytest.skip("needs arm-none-eabi-strip")
    bare = tmp_path / "bare.elf"
    subprocess.run([strip, str(image.elf), "-o", str(bare)], check=True)
    with pytest.raises(VerificationError, match="cannot be verified"):
        run_image(bare, benchmark, candidate_inputs(tensors[0]), tensors)


def stub(folder: Path, **model: str) -> tuple[Path, tuple[TensorInfo, TensorInfo]]:
    made = stub_model("kws", **model)
    return build_firmware(KWS, made, mode="performance", toolchain=tool_chain(), out_dir=folder).elf, (made.input, made.output)


def test_an_image_whose_model_cannot_be_set_up_is_refused_with_its_own_words(tmp_path):
    elf, tensors = stub(tmp_path, failure="the arena is too small")
    with pytest.raises(SetUpError) as caught:
        run_image(elf, KWS, candidate_inputs(tensors[0])[:1], tensors)
    assert "the arena is too small" in caught.value.why


def test_an_image_that_crashes_is_an_error(tmp_path):
    body = "void cm4tiny_model_run(const int8_t *input, int8_t *output)\n{\n    (void)input;\n    (void)output;\n    __builtin_trap();\n}\n"
    elf, tensors = stub(tmp_path, body=body)
    with pytest.raises((DeviceFaultError, VerificationError)):
        run_image(elf, KWS, candidate_inputs(tensors[0])[:1], tensors)


def test_an_image_that_changes_its_input_is_refused(tmp_path):
    body = "void cm4tiny_model_run(const int8_t *input, int8_t *output)\n{\n    memcpy(output, input, CM4TINY_MODEL_OUTPUT_SIZE);\n    *(int8_t *)input = (int8_t)(*input + 1);\n}\n"  # noqa: E501
    elf, tensors = stub(tmp_path, body=body)
    with pytest.raises(VerificationError, match="did not infer the input that was sent"):
        run_image(elf, KWS, candidate_inputs(tensors[0])[:1], tensors)


def test_the_record_of_a_build_says_that_it_was_verified_and_how(tmp_path):
    image = build(BuildSpec("kws", "microtvm", "performance", str(embedded_model("kws"))), tmp_path)
    found = read_record(image.elf)["verification"]
    assert found["verified"] is True
    assert (found["inputs"], found["differing"], found["allowed"]) == (3, 0, 0)
    assert "BUILTIN_REF" in found["reference"] or found["reference"] == "tflite_micro"


def test_a_build_without_verification_says_so(tmp_path):
    image = build(BuildSpec("kws", "microtvm", "energy", str(embedded_model("kws")), verify=False), tmp_path)
    assert read_record(image.elf)["verification"] == {
        "verified": False,
        "reason": "the image was never executed on test inputs (no_verify)",
    }


def test_an_image_that_fails_leaves_no_record_and_is_never_used(tmp_path):
    def verifier(*_: object) -> dict[str, object]:
        raise VerificationError("wrong", hint="none")

    with pytest.raises(VerificationError):
        build_unverified(BuildSpec("kws", "microtvm", "performance", str(embedded_model("kws"))), tmp_path, verifier=verifier)
    assert not (tmp_path / "firmware.json").exists()


@pytest.mark.parametrize(("text", "verified"), [("", True), ("no", True), ("yes", False), ("True", False), ("on", False)])
def test_the_option_is_a_yes_or_a_no(text, verified):
    assert wanted(text) is verified


def test_another_word_is_refused():
    with pytest.raises(UsageError):
        wanted("perhaps")


def test_values_may_differ_as_far_as_the_table_says_and_no_further():
    expected = np.zeros((2, 50), np.int8)
    found = expected.copy()
    found[1, 7] = 1
    assert compare(found, expected, "x", most=1, share=0.01) == (1, 1)
    for limits in ({}, {"most": 0, "share": 0.01}, {"most": 1, "share": 0.0}):
        with pytest.raises(VerificationError, match=r"x does not compute"):
            compare(found, expected, "x", **limits)


def test_the_inputs_depend_on_the_seed_only_and_hold_the_extremes():
    entry = TensorInfo((1, 40), "int8", 0.1, 5, 40)
    assert (candidate_inputs(entry) == candidate_inputs(entry)).all()
    assert not (candidate_inputs(entry, 2) == candidate_inputs(entry)).all()
    assert set(candidate_inputs(entry)[0]) == {-128, 127}
    inputs, outputs = choose_inputs(embedded_model("kws").read_bytes(), TensorInfo((1, 49, 10, 1), "int8", 0.1, 83, 490))
    assert (len(inputs), outputs.shape) == (3, (3, 12))
    assert json.dumps(sorted({int(v) for v in outputs[1]})) != "[-128, 127]"


def test_inputs_of_every_kind_are_asked():
    entry = TensorInfo((1, 400), "int8", 0.1, -40, 400)
    inputs = candidate_inputs(entry)
    assert inputs.shape == (8, 400) and inputs.dtype == np.int8
    noise, waves = inputs[2::2].astype(float), inputs[3::2].astype(float)
    assert np.abs(noise[0].std() - 8) < 1.5 and np.abs(noise[0].mean() + 40) < 2, "around the zero point"
    assert noise.std(axis=1).tolist() == sorted(noise.std(axis=1)), "wider and wider"
    assert np.abs(np.diff(waves[0])).mean() < np.abs(np.diff(noise[0])).mean(), "waves are smooth"


@pytest.mark.parametrize(
    ("benchmark", "expected"),
    [
        ("vww", bytes([0, 127, 128, 255])),
        ("ic", bytes([0, 127, 128, 255])),
        ("kws", bytes([128, 255, 0, 127])),
        ("ad", np.array([-12.3, 0.4, 0.5, 13.2], "<f4").tobytes()),
    ],
)
def test_an_input_is_sent_in_the_benchmarks_own_form(benchmark, expected):
    row = np.array([-128, -1, 0, 127], np.int8)
    entry = TensorInfo((1, 4), "int8", 0.1, -5, 4)
    sent = as_sent(row, get_benchmark(benchmark), entry)
    if benchmark == "ad":
        assert np.frombuffer(sent, "<f4") == pytest.approx(np.frombuffer(expected, "<f4"), abs=1e-5)
    else:
        assert sent == expected
