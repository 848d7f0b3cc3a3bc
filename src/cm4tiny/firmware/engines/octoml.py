# SPDX-License-Identifier: Apache-2.0
"""OctoML's submission to MLPerf Tiny v1.0: the generated C of the public repository, unmodified, on this project's board support.

The submission compiled four models with microTVM, once with TVM's own kernels (``octoml_native``) and once with CMSIS-NN
(``octoml_cmsis_nn``), and ran them on Zephyr. cTuning repeated it for round v1.1. Where the code lies is data (``octoml.yaml``); sizes and
scales come from the submission's own ``CMakeLists.txt``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks import Benchmark
from cm4tiny.benchmarks.tables import load_table
from cm4tiny.errors import AssetError, UsageError, nearest
from cm4tiny.events import SILENT, EventStream
from cm4tiny.firmware.c_library import CLibrary
from cm4tiny.firmware.engines.archive import CompileJob, EngineLibrary, TranslationUnit, build_archive, digest
from cm4tiny.firmware.flags import flags
from cm4tiny.firmware.inference_code import HEADER, InferenceCode, TensorInfo, model_header
from cm4tiny.firmware.toolchain import Toolchain
from cm4tiny.paths import firmware_sources

VARIANTS = ("octoml_native", "octoml_cmsis_nn")
ROUND = "v1.0"
SUBMISSION = f"tiny_results_{ROUND}"
CMSIS = "CMSIS_5"
_HERE = Path(__file__).resolve().parent
_ALLOCATOR = "crt/src/runtime/crt/memory/stack_allocator.c"
_INCLUDE = ("model/codegen/host/include", "crt/include", "crt_config")
# target_compile_definitions(app PUBLIC -DWORKSPACE_SIZE=146960)
_DEFINITION = re.compile(r"-D(?P<name>[A-Z_]+)=(?P<value>[-+.\w]+)\)")


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return load_table(_HERE / "octoml.yaml", _HERE / "octoml.schema.json")


def _variant(name: str) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = _table()["variants"]
    if name not in rows:
        raise UsageError(f"OctoML submitted no variant '{name}'", hint=nearest(name, rows) or f"use {' or '.join(rows)}")
    return rows[name]


REPOSITORIES = (SUBMISSION, CMSIS)


def published(variant: str) -> tuple[str, ...]:
    """Result folders (``tiny_results_v1.0/closed/...``) of the same code on the real board."""
    return tuple(_variant(variant)["published"])


@dataclass(frozen=True)
class Submission:
    """The generated code for one benchmark: its folder, and what its ``CMakeLists.txt`` defines."""

    folder: Path
    workspace_bytes: int
    output_scale: float
    output_zero_point: int

    @property
    def sources(self) -> tuple[Path, ...]:
        """The generated units and the runtime's allocator, as submitted."""
        return (*sorted((self.folder / "model/codegen/host/src").glob("*.c")), self.folder / _ALLOCATOR)


def read_submission(variant: str, benchmark: str, root: Path) -> Submission:
    """Finds the code of a benchmark in a checkout of the results repository.

    Raises:
        UsageError: no such variant, or nothing was submitted for the benchmark. AssetError: the checkout is incomplete.
    """
    base = root / str(_table()["root"]) / str(_variant(variant)["folder"])
    if not base.is_dir():
        raise AssetError(
            f"{root} holds no submission of OctoML", why=f"there is no {base.relative_to(root)}", hint=f"check out {SUBMISSION}"
        )
    folder = base / benchmark
    if not folder.is_dir():
        there = sorted(path.name for path in base.iterdir() if path.is_dir())
        raise UsageError(
            f"OctoML submitted no code for '{benchmark}'", why=f"there is code for {', '.join(there)}", hint="choose one of these"
        )
    try:
        text = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
        defined = {match["name"]: match["value"] for match in _DEFINITION.finditer(text)}
        submission = Submission(
            folder,
            workspace_bytes=int(defined["WORKSPACE_SIZE"]),
            output_scale=float(defined.get("OUT_QUANT_SCALE", 1.0)),
            output_zero_point=int(defined.get("OUT_QUANT_ZERO", 0)),
        )
    except (OSError, KeyError, ValueError) as error:
        raise AssetError(f"{folder}/CMakeLists.txt is not as submitted", why=str(error), hint=f"check out {SUBMISSION} again") from error
    missing = [str(path) for path in submission.sources if not path.is_file()]
    if missing or len(submission.sources) < 3:
        raise AssetError(
            f"the code in {folder} is incomplete", why=", ".join(missing) or "no generated units", hint=f"check out {SUBMISSION} again"
        )
    return submission


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
) -> EngineLibrary | None:
    """CMSIS-NN as ``lib<variant>.a`` in ``folder``, if the variant calls it; arguments and errors as of
    :func:`cm4tiny.firmware.engines.tflm.build_library`."""
    row = _variant(variant)
    if not row["sources"]:
        return None
    include = [f"-Isrc/{CMSIS}/{name}" for name in row["include"]]
    chosen = (*flags("target", toolchain.family), *_table()["flags"], *include, *library.compile)
    units = tuple(TranslationUnit(f"src/{CMSIS}/{source}", Path(source).stem, chosen) for source in row["sources"])
    job = CompileJob({CMSIS: roots[CMSIS]}, units, {})
    target = build_archive(job, folder / f"lib{variant}.a", toolchain, step=f"build {variant}", events=events, jobs=jobs)
    return EngineLibrary(variant, target, digest(job, toolchain, str(sorted((commits or {}).items()))))


def inference_code(
    variant: str, benchmark: Benchmark, roots: Mapping[str, Path], built: EngineLibrary | None, library: CLibrary
) -> InferenceCode:
    """The submitted code of a benchmark on top of what :func:`build_library` made.

    Args:
        roots: repository name -> checkout, for all of :data:`REPOSITORIES`.

    Raises:
        UsageError, AssetError: see :func:`read_submission`.
    """
    row, table = _variant(variant), _table()
    submission = read_submission(variant, benchmark.id, roots[SUBMISSION])
    adapter = firmware_sources() / "engines" / "octoml" / "octoml_adapter.c"
    units = {path.name: path.read_text(encoding="utf-8") for path in (*submission.sources, adapter)}
    submitted = hashlib.sha256("".join(units[path.name] for path in submission.sources).encode()).hexdigest()
    entry, result = _ends(benchmark, submission)
    return InferenceCode(
        files={
            HEADER: model_header(entry, result, init=True, halves_down=True),
            "octoml_config.h": f"#pragma once\n#define OCTOML_WORKSPACE_SIZE {submission.workspace_bytes}\n",
            **units,
        },
        input=entry,
        output=result,
        archives=(built.archive,) if built else (),
        include=(*(submission.folder / name for name in _INCLUDE), *(roots[CMSIS] / name for name in row["include"])),
        flags=tuple(table["flags"]),
        library=library,
        tools={
            "engine": variant,
            "submitted code": submitted,
            "C library": library.version,
            **({"engine library": built.key} if built else {}),
        },
    )


def _ends(benchmark: Benchmark, submission: Submission) -> tuple[TensorInfo, TensorInfo]:
    dtype = "float32" if benchmark.input_kind == "float32" else "int8"
    sizes = (benchmark.input_bytes // (4 if dtype == "float32" else 1), benchmark.results)
    if dtype == "float32":
        sizes = (sizes[0], sizes[0])
    entry = TensorInfo(benchmark.model_input_shape, dtype, 1.0, 0, sizes[0])
    return entry, TensorInfo(benchmark.model_output_shape, dtype, submission.output_scale, submission.output_zero_point, sizes[1])
