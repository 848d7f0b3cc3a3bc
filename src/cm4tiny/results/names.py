# SPDX-License-Identifier: Apache-2.0
"""One spelling for what the rounds spell in many ways: clock frequencies, processor cores, frameworks, boards.

Facts: the spellings in the 114 system descriptions of rounds v0.5 to v1.3. The names as printed stay in the records next to these.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

# Bounded, and a number begins where no digit is before it: each text is read in time proportional to its length.
_FREQUENCY = re.compile(r"(?<![\d.])(\d{1,12}(?:\.\d{1,12})?)\s{0,8}([GMk])(?:hz)?", re.IGNORECASE)
_MEMORY = re.compile(r"(?<![\d.])(\d{1,12}(?:\.\d{1,12})?)\s{0,8}([KMG])i?B", re.IGNORECASE)
_MHZ = {"g": 1000.0, "m": 1.0, "k": 0.001}
_KIB = {"k": 1.0, "m": 1024.0, "g": 1024.0 * 1024.0}
_CORTEX = re.compile(r"cortex\W{0,20}([amr]\d{1,4}\+?f?)", re.IGNORECASE)
_CORES = (  # first match counts
    (re.compile(r"risc.?v|\bRV(32|64)|AndesCore|XuanTie", re.IGNORECASE), "RISC-V"),
    (re.compile(r"hifi", re.IGNORECASE), "HiFi DSP"),
    (re.compile(r"BCM2711", re.IGNORECASE), "Cortex-A72"),
    (re.compile(r"kryo|oryon", re.IGNORECASE), "Qualcomm CPU"),
    (re.compile(r"microblaze", re.IGNORECASE), "MicroBlaze"),
    (re.compile(r"rh850", re.IGNORECASE), "RH850"),
    (re.compile(r"rxv2", re.IGNORECASE), "Renesas RX"),
)
_FRAMEWORKS = (
    (re.compile(r"x-cube-ai|stedge-ai", re.IGNORECASE), "ST X-CUBE-AI"),
    (re.compile(r"tflite-micro|tensorflow ?lite", re.IGNORECASE), "TensorFlow Lite Micro"),
    (re.compile(r"plumerai", re.IGNORECASE), "Plumerai"),
    (re.compile(r"bosch", re.IGNORECASE), "Bosch HALE"),
    (re.compile(r"microtvm", re.IGNORECASE), "microTVM"),
    (re.compile(r"leip", re.IGNORECASE), "LEIP"),
    (re.compile(r"fpgaconvnet", re.IGNORECASE), "fpgaConvNet"),
)


def known(text: str) -> str:
    """The text without blanks around it; empty for what stands for nothing (``N/A``, ``-``)."""
    text = text.strip()
    return "" if text.upper() in {"N/A", "NA", "-", "NONE"} else text


def megahertz(text: str) -> float | None:
    """``"1.0 GHz"``, ``"336 MHZ"``, ``"40M"`` in MHz; None where the text is not exactly one frequency."""
    found = _FREQUENCY.fullmatch(text.strip())
    return round(float(found[1]) * _MHZ[found[2].lower()], 6) if found else None


def kibibytes(text: str) -> float | None:
    """``"640KB RAM"``, ``"2 MB"``, ``"2MB+32KB"``, ``"1.5 MB L2 + 128 KB L1"`` in KiB; None where a part does not name exactly one size."""
    sizes = [_MEMORY.findall(part) for part in text.split("+")]
    if any(len(found) != 1 for found in sizes):
        return None
    return sum(float(amount) * _KIB[unit.lower()] for ((amount, unit),) in sizes)


def core(processor: str) -> str:
    """The kind of core: ``"32-bit Arm® Cortex®-M4 (DSP + FPU)"`` and ``"Cortex-M4F"`` are ``"Cortex-M4"``; else the text itself."""
    cortex = _CORTEX.search(processor)
    if cortex:
        return f"Cortex-{cortex[1].upper().rstrip('F')}"
    return next((name for pattern, name in _CORES if pattern.search(processor)), known(processor))


def framework_family(framework: str) -> str:
    """The framework without its version; else the text itself, shortened at a link."""
    name = next((name for pattern, name in _FRAMEWORKS if pattern.search(framework)), known(framework))
    return re.split(r"[=,]?\s*'?https?://", name)[0].strip()


def common_spelling(names: Iterable[str]) -> dict[str, str]:
    """Each name -> the most common of those that differ from it by case or ``_`` and ``-`` only (of equals the first in the alphabet)."""
    counts = Counter(names)
    groups: dict[str, list[str]] = {}
    for name in counts:
        groups.setdefault(name.casefold().replace("_", "-"), []).append(name)
    return {name: min(group, key=lambda one: (-counts[one], one)) for group in groups.values() for name in group}
