# SPDX-License-Identifier: Apache-2.0
"""The verbs that run a step, and what of a step's variations and flags each of them shows.

Flags, their types, meanings and defaults come from the step itself (its options, ``input_mapping``, ``cm-repo/inputs.yaml``), choices
and defaults of variations from its meta. Here stands only what CM has no place for: the verb's name, which group of variations is an
argument, and what a group means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Words:
    """Variations as an option: one of several words, or a switch.

    Args:
        meaning: for ``--help``.
        group: of the meta; its members are the choices. Empty: see the others.
        switch: the variation that the option turns on.
        choices: word -> variation (empty: none), where neither a group nor a switch says it.
    """

    meaning: str
    group: str = ""
    switch: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verb:
    """A verb that runs a step.

    Args:
        name: as typed.
        alias: of the step's script.
        tags: as a user asks for the step.
        group: the group of variations that is the argument.
        several: more than one member may be named.
        argument: the flag that is the argument.
        argument_help: what the argument is.
        words: option -> variations.
        hidden: variations that are no options: spellings of other repositories, internal ones.
        examples: command lines.
    """

    name: str
    alias: str
    tags: str
    group: str = ""
    several: bool = False
    argument: str = ""
    argument_help: str = ""
    words: Mapping[str, Words] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    examples: tuple[str, ...] = ()


_FIRMWARE = {
    "engine": Words("what compiles or interprets the model", group="engine"),
    "assets": Words("whose models and samples: this project's, or MLPerf Tiny's own", group="assets"),
    "division": Words("open: also prune channels (docs/closed-division.md)", choices={"closed": "", "open": "prune_channels"}),
    "low_ram": Words("build for 128 KB of RAM instead of 640 KB", switch="low_ram"),
    "keep_zeros": Words("multiply weights of zero, too", switch="keep_zeros"),
}
_ALIASES = frozenset({"native", "cmsis_nn", "drop_dead", "ic2"})
_BENCHMARKS = (
    "ad (anomaly detection), ic (image classification), kws (keyword spotting), vww (visual wake words), ic02 (image classification, "
    "large model), or v1.4 (what that round requires)"
)

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "run",
            "reproduce-mlperf-tiny",
            "reproduce,mlperf,tiny",
            group="benchmark",
            several=True,
            argument_help=f"{_BENCHMARKS}; ad, ic, kws and vww by default",
            words={
                "mode": Words("what is measured; standard: performance and accuracy", group="mode"),
                **_FIRMWARE,
                "board": Words("virtual, or a real one on USB", group="board"),
                "profile": Words("also show what each layer costs", switch="profile"),
            },
            hidden=_ALIASES | {"alt", "old"},
            examples=("cm4tiny run", "cm4tiny run kws --mode performance", "cm4tiny run ic vww --engine tflm_cmsis_nn -o out"),
        ),
        Verb(
            "profile",
            "profile-mlperf-tiny",
            "profile,mlperf,tiny",
            group="benchmark",
            several=True,
            argument_help=f"{_BENCHMARKS}; ad, ic, kws and vww by default",
            words=_FIRMWARE,
            hidden=_ALIASES | {"given"},
            examples=("cm4tiny profile kws", "cm4tiny profile --image firmware.elf --model model.tflite"),
        ),
        Verb(
            "predict",
            "predict-tiny-model",
            "predict,tiny,model",
            argument="model",
            examples=("cm4tiny predict model.tflite", "cm4tiny predict model.tflite --engines microtvm,tflm_cmsis_nn -o out"),
        ),
        Verb(
            "replay",
            "replay-mlperf-tiny",
            "replay,mlperf,tiny",
            group="round",
            argument_help="a round, fetched unless --path names a copy",
            words={"execute": Words("also run the submitters' own firmware images", switch="execute")},
            examples=("cm4tiny replay v1.1", "cm4tiny replay --path tiny_results_v1.1", "cm4tiny replay v1.2 --execute"),
        ),
        Verb(
            "audit",
            "check-mlperf-tiny-submission",
            "check,mlperf,tiny,submission",
            argument="path",
            examples=("cm4tiny audit submission",),
        ),
        Verb(
            "verify",
            "verify-mlperf-tiny",
            "verify,mlperf,tiny",
            argument="report",
            examples=("cm4tiny verify report.json", "cm4tiny verify mlperf-tiny-results --statement"),
        ),
        Verb(
            "submit",
            "generate-mlperf-tiny-submission",
            "generate,mlperf,tiny,submission",
            argument="results",
            examples=("cm4tiny submit runs --submitter Example", "cm4tiny submit --answers answers.yaml"),
        ),
        Verb(
            "view",
            "view-mlperf-tiny",
            "view,mlperf,tiny",
            argument="runs",
            examples=("cm4tiny view", "cm4tiny view mlperf-tiny-results -o dashboard"),
        ),
        Verb(
            "flash",
            "flash-tinyml-binary",
            "flash,tiny,mlperf",
            argument="elf",
            words={"board": Words("virtual, or a real one on USB", group="board")},
            examples=("cm4tiny flash firmware.elf --board NUCLEO",),
        ),
    )
}

SECTIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("Firmware", frozenset({"toolchain", "model", "engines", "ram_budget", "no_verify", "tune", "costs", "image", "symbols", "root"})),
    (
        "Board",
        frozenset(
            {
                "port",
                "probe",
                "bench",
                "flasher",
                "baud",
                "monitor",
                "supply_mv",
                "pack",
                "pack_sha256",
                "drive",
                "no_strict",
                "full_windows",
                "jobs",
            }
        ),
    ),
    ("Sources", frozenset({"mirror", "offline", "path", "labels", "tiny_src", "official"})),
)
"""Headings of ``--help`` and the flags below each; flags of none of them are "Options"."""

ENGINE_FLAGS: Mapping[str, str] = {
    "plan": "",
    "lock": "FILE",
    "locked": "FILE",
    "ro_crate": "",
    "check_cache": "",
}
"""Flags of the script engine that every verb of a step has, with what they take; their meaning is the engine's."""
