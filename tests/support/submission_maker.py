# SPDX-License-Identifier: Apache-2.0
"""A valid submission for tests: two benchmarks, energy, code and documents, made by the project's own generator."""

from __future__ import annotations

from pathlib import Path

from support import session_maker, streaming_maker

from cm4tiny.results.submission.answers import Answers, SystemAnswers
from cm4tiny.results.submission.generator import Generated, generate


def sessions(folder: Path, benchmarks: tuple[str, ...] = ("kws", "ic"), *, energy: bool = True) -> Path:
    """Sessions of a user, as the MLCommons runner leaves them."""
    for benchmark in benchmarks:
        session_maker.performance(folder / f"{benchmark}-p", benchmark)
        session_maker.accuracy(folder / f"{benchmark}-a", benchmark)
        if energy:
            session_maker.energy(folder / f"{benchmark}-e", benchmark)
    return folder


ALL_SIX = ("ad", "ic", "ic02", "kws", "vww")
"""Benchmarks of round v1.4 with sessions of all three modes; streaming wakeword has two."""


def six_benchmarks(folder: Path) -> Path:
    """Sessions of a user who measured everything that round v1.4 has."""
    sessions(folder, ALL_SIX)
    streaming_maker.streaming(folder / "sww-p")
    streaming_maker.streaming(folder / "sww-e", "energy")
    return folder


def documents(folder: Path) -> dict[str, Path]:
    """Code, checklist and set-up."""
    code = folder / "code"
    code.mkdir(parents=True, exist_ok=True)
    (code / "main.c").write_text("int main(void) { return 0; }\n", encoding="utf-8")
    (code / "README.md").write_text("make\n", encoding="utf-8")
    for name in ("checklist.pdf", "hookup.png"):
        (folder / name).write_bytes(b"document")
    return {"code": code, "checklist": folder / "checklist.pdf", "energy_set_up": folder / "hookup.png"}


def answers(folder: Path, sources: Path, *, name: str = "BOARD_A", division: str = "closed", round_id: str = "v1.4") -> Answers:
    """The answers to all questions, for one system."""
    given = documents(folder)
    description = {
        "Inference Framework": "Example 1.0",
        "General Compiler(s)": "gcc 12.2",
        "Software Libraries": "none",
        "Quantization Method": "int8",
    }
    system = SystemAnswers(name, "NUCLEO_L4R5ZI", "available", (sources,), given["code"], "example", description)
    return Answers("Example", (system,), division, round_id, given["checklist"], given["energy_set_up"])


def valid_submission(folder: Path, **choices: str) -> Generated:
    """Generates it below ``folder/submission``."""
    sources = sessions(folder / "sessions")
    return generate(answers(folder / "documents", sources, **choices), folder / "submission", labels=session_maker.small_lists())


def whole_submission(folder: Path) -> Generated:
    """A submission with all six benchmarks of round v1.4 and all their modes."""
    sources = six_benchmarks(folder / "sessions")
    return generate(answers(folder / "documents", sources), folder / "submission", labels=session_maker.small_lists())
