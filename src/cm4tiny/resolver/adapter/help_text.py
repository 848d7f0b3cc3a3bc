# SPDX-License-Identifier: Apache-2.0
"""The text of ``cm run script --help`` and ``cm help script``."""

from __future__ import annotations

import sys

from cm4tiny.resolver.language import options
from cm4tiny.resolver.language.inputs import inputs_of
from cm4tiny.resolver.language.meta import Script


def write_help(script: Script) -> None:
    title = f"{script.alias}: {script.meta.get('name', '')}".rstrip(": ")
    lines = [title, f"  tags: {','.join(script.tag_list)}", f"  path: {script.path}"]
    if script.variations:
        lines.append("  variations:")
        for name, block in script.variations.items():
            notes = [f"group {block['group']}"] if "group" in block else []
            notes += ["default"] if "default" in block else []
            lines.append(f"    _{name}" + (f"  ({', '.join(notes)})" if notes else ""))
    inputs = inputs_of(script)
    if inputs:
        lines.append("  flags:")
        lines += [f"    --{given.flag}  {given.text}" for given in inputs.values()]
    lines.append("  flags of every script:")
    lines += [f"    --{option.name}  {option.help}" for option in options.OPTIONS.values() if option.available]
    sys.stdout.write("\n".join(lines) + "\n")
