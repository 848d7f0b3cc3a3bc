# SPDX-License-Identifier: Apache-2.0
"""The machine, as scripts ask for it: upstream's ``os_info`` dictionary, found out once and without a process."""

from __future__ import annotations

import struct
import sys
from functools import lru_cache
from typing import Any

_UNIX = {
    "bat_ext": ".sh", "set_env": 'export ${key}="${value}"', "env_separator": ":", "env_var": "${env_var}",
    "set_exec_file": 'chmod 755 "${file_name}"', "bat_rem": "# ${rem}", "run_local_bat": ". ./${bat_file}",
    "run_local_bat_from_python": 'bash -c ". ./${bat_file}"', "run_bat": ". ${bat_file}",
}  # fmt: skip
_WINDOWS = {
    "bat_ext": ".bat", "set_env": "set ${key}=${value}", "env_separator": ";", "env_var": "%env_var%", "bat_rem": "rem ${rem}",
    "run_local_bat": "call ${bat_file}", "run_local_bat_from_python": "call ${bat_file}", "run_bat": "call ${bat_file}",
}  # fmt: skip


@lru_cache(maxsize=4)
def os_info(system: str = sys.platform) -> dict[str, Any]:
    """``platform``, ``bat_ext``, ``bits``, the templates with which upstream writes shell scripts, and ``env`` for every script.

    Args:
        system: as ``sys.platform`` names it.
    """
    windows = system.startswith("win")
    bits = str(8 * struct.calcsize("P"))
    return {
        **(_WINDOWS if windows else _UNIX),
        "platform": "windows" if windows else "darwin" if system == "darwin" else "linux",
        "start_script": ["@echo off", ""] if windows else ["#!/bin/bash", ""],
        "env": {"CM_WINDOWS": "yes"} if windows else {},
        "bits": bits,
        "python_bits": bits,
    }
