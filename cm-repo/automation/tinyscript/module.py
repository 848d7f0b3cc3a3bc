# SPDX-License-Identifier: Apache-2.0
"""``cm run tinyscript`` and ``cm find tinyscript``: the automation ``script`` under a name that no other repository has."""

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("cm4tiny_script_automation", Path(__file__).resolve().parent.parent / "script" / "module.py")
_script = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_script)

CAutomation = _script.CAutomation
