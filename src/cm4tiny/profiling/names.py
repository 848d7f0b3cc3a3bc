# SPDX-License-Identifier: Apache-2.0
"""Human-readable names of functions: the path of a C++ name without its parameters, a C name as it is.

Itanium C++ ABI, section 5.1 "External Names (a.k.a. Mangling)": ``_ZN <length><name>... E``; what is beyond plain nested names (templates,
operators) ends the short form.
"""

from __future__ import annotations

import re

_ANONYMOUS = "_GLOBAL__N_1"
_PREFIXES = ("tvmgen_default_fused_", "tvmgen_default_")
"""What all functions of an engine's generated code begin with."""
_CLONE = re.compile(r"\.(?:isra|constprop|part|cold|lto_priv|localalias)\b.*$")
_VENEER = re.compile(r"^__(.+)_veneer$")


def base_name(symbol: str) -> str:
    """The symbol without what a compiler or linker added: ``.isra.0``, ``__..._veneer``."""
    plain = _CLONE.sub("", symbol)
    veneer = _VENEER.match(plain)
    return veneer[1] if veneer else plain


def short_name(symbol: str) -> str:
    """``tflite::MicroInterpreter::Invoke`` for ``_ZN6tflite16MicroInterpreter6InvokeEv``; ``f`` for ``_Z1fi``; C names as they are."""
    plain = base_name(symbol)
    match = re.match(r"_ZL?(N[rVK]*)?", plain)
    if match is None:
        return plain
    parts, rest = [], plain[match.end() :]
    while length := re.match(r"L?(\d+)", rest):
        end = length.end() + int(length[1])
        parts.append(rest[length.end() : end])
        rest = rest[end:]
        if not match[1]:
            break
    return "::".join("(anonymous)" if part == _ANONYMOUS else part for part in parts) or plain


def plain_name(symbol: str) -> str:
    """The last part of :func:`short_name`, without what an engine puts before every name: ``ConvEval``, ``cmsis_nn_main_3``."""
    name = short_name(symbol).rpartition("::")[2]
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
