# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a compiled model, and the harness as a program of the development machine."""

from __future__ import annotations

import functools
import math
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cm4tiny.benchmarks import Benchmark, get_benchmark
from cm4tiny.firmware.build import build_config
from cm4tiny.firmware.microtvm import CompiledModel, TensorInfo
from cm4tiny.paths import firmware_sources

INPUT_SCALE, INPUT_ZERO_POINT = 0.125, 5
OUTPUT_SCALE, OUTPUT_ZERO_POINT = 1 / 256, -128
COPY_INPUT = "void cm4tiny_model_run(const int8_t *input, int8_t *output)\n{\n    memcpy(output, input, CM4TINY_MODEL_OUTPUT_SIZE);\n}\n"


def stub_model(benchmark: str | Benchmark, *, body: str = COPY_INPUT, failure: str = "") -> CompiledModel:
    """A model whose output is the beginning of its input; ``body`` replaces that. ``failure``: why it cannot be set up."""
    row = get_benchmark(benchmark) if isinstance(benchmark, str) else benchmark
    inputs, outputs = math.prod(row.model_input_shape), math.prod(row.model_output_shape)
    header = (
        "#pragma once\n#include <stdint.h>\n"
        f"#define CM4TINY_MODEL_INPUT_SIZE {inputs}\n#define CM4TINY_MODEL_OUTPUT_SIZE {outputs}\n"
        f"#define CM4TINY_MODEL_INPUT_SCALE {INPUT_SCALE.hex()}f\n#define CM4TINY_MODEL_INPUT_ZERO_POINT {INPUT_ZERO_POINT}\n"
        f"#define CM4TINY_MODEL_OUTPUT_SCALE {OUTPUT_SCALE.hex()}f\n#define CM4TINY_MODEL_OUTPUT_ZERO_POINT ({OUTPUT_ZERO_POINT})\n"
        f"#define CM4TINY_MODEL_INIT {int(bool(failure))}\nconst char *cm4tiny_model_init(void);\n"
        "void cm4tiny_model_run(const int8_t *input, int8_t *output);\n"
    )
    if failure:
        body += f'const char *cm4tiny_model_init(void)\n{{\n    return "{failure}";\n}}\n'
    return CompiledModel(
        source='#include "model.h"\n#include <string.h>\n' + body,
        header=header,
        input=TensorInfo(row.model_input_shape, "int8", INPUT_SCALE, INPUT_ZERO_POINT, inputs),
        output=TensorInfo(row.model_output_shape, "int8", OUTPUT_SCALE, OUTPUT_ZERO_POINT, outputs),
        arena_bytes=0,
        const_bytes=0,
        layers=(),
    )


def host_compiler() -> str:
    """The machine's own C compiler; skips the test without one."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler for this machine")
    return compiler


@functools.cache
def sanitizers(compiler: str, folder: str) -> tuple[str, ...]:
    """The switches that make memory errors fatal, where the compiler has them."""
    flags = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    probe = Path(folder) / "probe.c"
    probe.write_text("int main(void) { return 0; }\n", encoding="ascii")
    done = subprocess.run([compiler, *flags, str(probe), "-o", str(probe.with_suffix(""))], capture_output=True, check=False)
    return flags if done.returncode == 0 else ()


class HostHarness:
    """The harness with a stub model, compiled for this machine and run once per conversation."""

    def __init__(self, folder: Path, benchmark: str, mode: str, *, failure: str = "") -> None:
        row, model, compiler = get_benchmark(benchmark), stub_model(benchmark, failure=failure), host_compiler()
        self.benchmark = row
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("model.c", model.source), ("model.h", model.header), ("build_config.h", build_config(row, mode, 115200))):
            (folder / name).write_text(text, encoding="utf-8")
        harness = firmware_sources() / "harness"
        units = sorted(str(path) for path in harness.glob("*.c") if path.name != "memory.c")
        units += [str(firmware_sources() / "chips" / "host" / "board.c"), str(folder / "model.c")]
        self.program = folder / "harness"
        command = [compiler, "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"]
        command += [*sanitizers(compiler, str(folder)), f"-I{folder}", f"-I{harness}"]
        subprocess.run([*command, *units, "-o", str(self.program)], check=True)

    def talk(self, text: bytes, **environment: str) -> str:
        """Everything the harness says to these bytes, its greeting included; a crash fails the test."""
        everything = {**os.environ, **environment}
        done = subprocess.run([str(self.program)], input=text, capture_output=True, env=everything, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode("latin-1")

    def answers(self, *commands: str) -> list[str]:
        """The answer to each command, without its ``m-ready``."""
        said = self.talk("".join(f"{command}%" for command in commands).encode("latin-1"))
        return said.split("m-ready\r\n")[1:-1]


def load_commands(data: bytes, chunk: int = 31) -> list[str]:
    """The ``db`` commands that send ``data``."""
    return [f"db load {len(data)}", *(f"db {data[i : i + chunk].hex()}" for i in range(0, len(data), chunk))]
