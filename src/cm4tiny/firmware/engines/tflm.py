# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite for Microcontrollers on the bare board: one library per variant, one small C unit per model.

What is compiled and how is data (``tflm.yaml``). The library is built once for a variant and linked to every model; each operator has an
object of its own, so an image holds only the kernels of its model. The interpreter, its arena and the model are static; there is no heap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import UnsupportedOpError, UsageError, nearest
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware.c_library import CLibrary, fingerprint
from cm4tiny.firmware.engines.archive import CompileJob, EngineLibrary, TranslationUnit, build_archive, digest
from cm4tiny.firmware.flags import flags
from cm4tiny.firmware.inference_code import HEADER, MODEL_UNIT, InferenceCode, model_header
from cm4tiny.firmware.layers import operator_layers
from cm4tiny.firmware.model_file import check_ends, check_scheme, model_ends, read_tables
from cm4tiny.firmware.model_tables import ModelTables
from cm4tiny.firmware.toolchain import Toolchain
from cm4tiny.paths import firmware_sources

VARIANTS = ("tflm", "tflm_cmsis_nn")
_HERE = Path(__file__).resolve().parent
_PCH = "tflm_pch.h"
_OWN = "engine"
_BYTES_PER_LINE = 24
ARENA_USED = "tflm_arena_used_bytes"
"""A variable of the firmware (firmware/engines/tflm): how much of the arena the model uses, once it is set up."""


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return load_table(_HERE / "tflm.yaml", _HERE / "tflm.schema.json")


def repositories(variant: str) -> tuple[str, ...]:
    """Names of the repositories that a variant is built from, in a fixed order.

    Raises:
        UsageError: no such variant.
    """
    table, row = _table(), _variant(variant)
    return tuple(dict.fromkeys([*table["include"], *row.get("include", {}), *row["sources"]]))


def _variant(name: str) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = _table()["variants"]
    if name not in rows:
        raise UsageError(
            f"TensorFlow Lite for Microcontrollers has no variant '{name}'", hint=nearest(name, rows) or f"use {' or '.join(rows)}"
        )
    return rows[name]


def build_library(
    variant: str,
    roots: Mapping[str, Path],
    folder: Path,
    *,
    toolchain: Toolchain,
    library: CLibrary,
    commits: Mapping[str, str] | None = None,
    events: EventStream = SILENT,
    jobs: int = 0,
) -> EngineLibrary:
    """Builds ``lib<variant>.a`` in ``folder``.

    Args:
        roots: repository name -> checkout, for all of :func:`repositories`.
        commits: repository name -> commit, for the record.
        jobs: compilers side by side; 0: as many as processors.

    Raises:
        UsageError: no such variant. AssetError: a source is missing. CompileError: the compiler refuses.
    """
    job = _job(variant, {name: roots[name] for name in repositories(variant)}, toolchain, library)
    extra = f"{fingerprint(library)} {sorted((commits or {}).items())}"
    target = build_archive(job, folder / f"lib{variant}.a", toolchain, step=f"build {variant}", events=events, jobs=jobs)
    return EngineLibrary(variant, target, digest(job, toolchain, extra))


def _job(variant: str, roots: dict[str, Path], toolchain: Toolchain, library: CLibrary) -> CompileJob:
    table, row = _table(), _variant(variant)
    include = [
        f"-Isrc/{repo}/{folder}".removesuffix("/.")
        for block in (table, row)
        for repo, folders in block.get("include", {}).items()
        for folder in folders
    ]
    switches = table["flags"]
    common = (
        *flags("target", toolchain.family),
        *switches["common"],
        *switches["defines"],
        *row.get("defines", ()),
        "-Isrc/" + _OWN,
        *include,
    )
    cxx = (*common, *switches["cxx"], *library.compile_cxx, *library.compile)
    with_pch = ("-I.", "-include", _PCH, *cxx)
    units = [TranslationUnit(f"src/{_OWN}/tflm_engine.cc", "tflm_engine", with_pch)]
    for kind, method in table["operators"].items():
        names = (f"-DTFLM_ADD={method}", f"-DTFLM_FUNCTION={_add_function(kind)}")
        units.append(TranslationUnit(f"src/{_OWN}/tflm_operator.cc", f"operator_{kind.lower()}", (*with_pch, *names)))
    for block in (table, row):
        for repo, sources in block["sources"].items():
            for source in sources:
                is_cxx = source.endswith(".cc")
                chosen = with_pch if is_cxx else (*common, *library.compile)
                units.append(TranslationUnit(f"src/{repo}/{source}", f"{repo}-{source.rpartition('.')[0].replace('/', '-')}", chosen))
    own = firmware_sources() / "engines" / "tflm"
    texts = {_PCH: "".join(f'#include "{name}"\n' for name in table["precompiled"])}
    return CompileJob({**roots, _OWN: own}, tuple(units), texts, precompiled=(_PCH, cxx))


def _add_function(kind: str) -> str:
    return f"tflm_add_{kind.lower()}"


def operators() -> frozenset[str]:
    """Names of the operators that the library has."""
    return frozenset(_table()["operators"])


def check_model(tflite: bytes) -> ModelTables:
    """A model's tables, if the library can run it: asked before anything is compiled.

    Raises:
        ModelError: the bytes are not an int8 model. UnsupportedOpError: operators that are not in the library; names all of them.
    """
    tables = read_tables(tflite)
    known: dict[str, str] = _table()["operators"]
    check_scheme(tables)
    foreign = sorted({operator.kind for operator in tables.operators} - set(known))
    if foreign:
        raise UnsupportedOpError(
            f"this build of TensorFlow Lite for Microcontrollers has no operator {', '.join(foreign)}",
            why=f"it was made for the benchmark models: {', '.join(known)}",
            hint="use another model, or add the operator's source and registration to tflm.yaml",
        )
    check_ends(tables)
    return tables


def inference_code(tflite: bytes, built: EngineLibrary, library: CLibrary, *, arena_bytes: int) -> InferenceCode:
    """A model's unit on top of a library.

    Args:
        arena_bytes: for activations, tensors and the interpreter's tables. How many a model takes, the interpreter says once it is set up
            (:data:`ARENA_USED`); :mod:`cm4tiny.verification` asks it.

    Raises:
        ModelError: the bytes are no int8 model. UnsupportedOpError: an operator is not in the library.
    """
    tables = check_model(tflite)
    kinds = sorted({operator.kind for operator in tables.operators})
    entry, result = model_ends(tables)
    return InferenceCode(
        files={HEADER: model_header(entry, result, init=True), MODEL_UNIT: _unit(tflite, kinds, arena_bytes)},
        input=entry,
        output=result,
        archives=(built.archive,),
        include=(firmware_sources() / "engines" / "tflm",),
        library=library,
        tools={"engine": built.engine, "engine library": built.key, "C library": library.version},
        layers=operator_layers(tables),
    )


def _unit(tflite: bytes, kinds: list[str], arena_bytes: int) -> str:
    rows = [",".join(str(byte) for byte in tflite[i : i + _BYTES_PER_LINE]) for i in range(0, len(tflite), _BYTES_PER_LINE)]
    functions = [_add_function(kind) for kind in kinds]
    return "\n".join([
        f"/* Generated: a model of {len(tflite)} bytes, SHA-256 {hashlib.sha256(tflite).hexdigest()}, for the interpreter. */",
        '#include "model.h"',
        '#include "tflm_engine.h"',
        "",
        *(f"int {function}(void);" for function in functions),
        "",
        f"static uint8_t tflm_arena[{arena_bytes}] __attribute__((aligned(16)));",
        "static const uint8_t tflm_model[] __attribute__((aligned(16))) = {",
        ",\n".join(rows),
        "};",
        "",
        "const char *cm4tiny_model_init(void)",
        "{",
        f"    if (!({' && '.join(f'{function}()' for function in functions)})) {{",
        '        return "an operator cannot be registered";',
        "    }",
        "    return tflm_setup(tflm_model, tflm_arena, sizeof tflm_arena);",
        "}",
        "",
        "void cm4tiny_model_run(const int8_t *input, int8_t *output)",
        "{",
        "    tflm_run(input, output);",
        "}",
        "",
    ])  # fmt: skip
