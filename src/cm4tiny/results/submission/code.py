# SPDX-License-Identifier: Apache-2.0
"""The code of a submission: the submitter's own folder, or everything that one of this project's images was built from.

An image is found by its hash in CM's cache; next to it lie the generated C, the commands and the hashes of all sources. The sources are
copied only if they still have these hashes, so that the commands give the same image again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm4tiny.benchmarks import embedded_model
from cm4tiny.digests import file_sha256
from cm4tiny.errors import AssetError, ResultsError, UsageError
from cm4tiny.firmware.build import source_folders
from cm4tiny.paths import firmware_sources
from cm4tiny.results.rounds.table import benchmark_facts
from cm4tiny.results.submission.answers import SystemAnswers
from cm4tiny.results.submission.sessions import Found

_RECORD, _BUILD = "firmware.json", "build.json"
_LEFT_OUT = ("__pycache__", ".*", "*.pyc")
_MAX_CODE_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class SubmittedImage:
    """An image of this project and the folder that it was built in."""

    folder: Path
    record: Mapping[str, Any]
    build: Mapping[str, Any]

    @property
    def elf(self) -> Path:
        """The image."""
        return self.folder / str(self.record["elf"]["name"])

    def source(self, name: str) -> Path:
        """Where a source of the build lies now."""
        place, _, rest = name.partition("/")
        shipped = source_folders(Path(str(self.build["board"]["start_up"])).name)
        return firmware_sources() / shipped[place] / rest if place in shipped else self.folder / rest

    def changed(self) -> list[str]:
        """Sources that are no longer what the image was built from."""
        return [name for name, digest in self.build["sources"].items() if not _has(self.source(name), digest)]


def cache_of_cm() -> Path:
    """Where CM keeps what its scripts made."""
    return Path(os.environ.get("CM_REPOS") or Path.home() / "CM") / "repos" / "local" / "cache"


def find_image(digest: str, folders: Iterable[Path]) -> SubmittedImage:
    """The image with a SHA-256 and what it was built from.

    Raises:
        ResultsError: it is not there any more, or its sources have changed since.
    """
    changed = ""
    for record_file in (path for folder in folders for path in sorted(folder.glob(f"*/firmware/{_RECORD}"))):
        try:
            record, build = (json.loads((record_file.parent / name).read_text(encoding="utf-8")) for name in (_RECORD, _BUILD))
            image = SubmittedImage(record_file.parent, record, build)
            if record["elf"]["sha256"] != digest or not _has(image.elf, digest):
                continue
            names = image.changed()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if not names:
            return image
        changed = f"{names[0]} has changed since"
    raise ResultsError(
        f"the firmware {digest[:16]}... that was measured cannot be found with all its sources",
        why=changed or "CM's cache does not hold it any more",
        hint="run the benchmark again with --new, or give the folder of the code with --code=DIR",
    )


def write_code(target: Path, system: SystemAnswers, sessions: Iterable[Found], models: Mapping[str, Path], caches: Iterable[Path]) -> None:
    """Writes ``target/BENCHMARK/IMPLEMENTATION`` for each benchmark of a system.

    Raises:
        UsageError: no code was given for sessions of another runner. ResultsError: image, sources or model cannot be found.
    """
    by_benchmark: dict[str, list[Found]] = {}
    for session in sessions:
        by_benchmark.setdefault(session.benchmark, []).append(session)
    for benchmark, mine in by_benchmark.items():
        folder = target / benchmark / system.implementation
        if system.code is not None:
            _copy_own(system.code, benchmark, folder)
            continue
        digests = sorted({session.firmware for session in mine if session.firmware})
        if not digests:
            raise UsageError(
                f"system {system.name} comes without the code of {benchmark}",
                why="its sessions are not from a run of this project, so the code is not known",
                hint="give the folder of the code that was run with --code=DIR (code: in the answers)",
            )
        for digest in digests:
            image = find_image(digest, caches)
            _copy_image(image, folder / str(image.record["mode"]), benchmark, models)


def _copy_own(code: Path, benchmark: str, folder: Path) -> None:
    source = code / benchmark if (code / benchmark).is_dir() else code
    if not source.is_dir() or not any(source.iterdir()):
        raise UsageError(
            f"the folder of code {source} is missing or empty", hint="give the folder that holds the code, or BENCHMARK/ below it"
        )
    links = [path for path in source.rglob("*") if path.is_symlink()]
    if links:
        raise UsageError(f"{links[0]} is a symbolic link", why="submissions must not hold any", hint="put the file itself there")
    size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    if size > _MAX_CODE_BYTES:
        raise UsageError(f"{source} holds {size / 1e9:.1f} GB", hint="give the folder of the code alone")
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(*_LEFT_OUT), dirs_exist_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _copy_image(image: SubmittedImage, folder: Path, benchmark: str, models: Mapping[str, Path]) -> None:
    for name in image.build["sources"]:
        target = folder / name
        if not target.resolve().is_relative_to(folder.resolve()):
            raise ResultsError(f"{_BUILD} names a source outside its folder: {name}", hint="build the firmware again: add --new")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image.source(name), target)
    for name in (_BUILD, _RECORD, image.elf.name):
        shutil.copyfile(image.folder / name, folder / name)
    model = _model(image.record["model"], benchmark, models)
    shutil.copyfile(model, folder / Path(str(image.record["model"]["name"])).name)
    (folder / "README.md").write_text(_readme(image), encoding="utf-8")


def _model(wanted: Mapping[str, Any], benchmark: str, models: Mapping[str, Path]) -> Path:
    for path in _candidates(benchmark, models):
        if _has(path, str(wanted["sha256"])):
            return path
    raise ResultsError(
        f"the model {wanted['name']} of {benchmark} cannot be found",
        why=f"no file available has the SHA-256 {str(wanted['sha256'])[:16]}...",
        hint="name the file that was compiled: models: {" + benchmark + ": FILE} in the answers",
    )


def _candidates(benchmark: str, models: Mapping[str, Path]) -> Iterator[Path]:
    if benchmark in models:
        yield models[benchmark]
    facts = benchmark_facts(benchmark)
    if facts is not None and facts.embedded:
        try:
            yield embedded_model(facts.id)
        except AssetError:
            return


def _readme(image: SubmittedImage) -> str:
    record, build = image.record, image.build
    tools = "\n".join(f"- {name} {version}" for name, version in record["tools"].items())
    return f"""# {record["benchmark"]}, {record["mode"]} image

| folder, file | what |
|---|---|
| `harness/` | the benchmark's commands over the serial port, and the measured loop |
| `board/`, `include/` | start-up code, clock and serial port of the board; the C headers that it needs |
| `generated/` | the inference code, made from `{record["model"]["name"]}` by the engine {record["engine"]} |
| `{_BUILD}` | all commands of the compiler, and the SHA-256 of each source |
| `{image.elf.name}` | the image that was measured, SHA-256 `{record["elf"]["sha256"]}` |

The commands of `{_BUILD}`, run in this folder with an empty folder `obj`, build the image again ({len(build["sources"])} sources).
Libraries that they name next to these sources are listed below with their versions.

Made with:

{tools}
"""


def _has(path: Path, digest: str) -> bool:
    return path.is_file() and file_sha256(path) == digest
