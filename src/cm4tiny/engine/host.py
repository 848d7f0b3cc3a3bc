"""The machine, as scripts ask for it: upstream's ``os_info`` dictionary, found out once and without a process."""

from __future__ import annotations

import struct
import sys
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def os_info() -> dict[str, Any]:
    """``platform``, ``bat_ext``, ``bits`` and the templates with which upstream writes shell scripts."""
    bits = str(8 * struct.calcsize("P"))
    return {
        "platform": "darwin" if sys.platform == "darwin" else "linux",
        "bat_ext": ".sh",
        "set_env": 'export ${key}="${value}"',
        "env_separator": ":",
        "env_var": "${env_var}",
        "set_exec_file": 'chmod 755 "${file_name}"',
        "bat_rem": "# ${rem}",
        "run_local_bat": ". ./${bat_file}",
        "run_local_bat_from_python": 'bash -c ". ./${bat_file}"',
        "run_bat": ". ${bat_file}",
        "start_script": ["#!/bin/bash", ""],
        "env": {},
        "bits": bits,
        "python_bits": bits,
    }
