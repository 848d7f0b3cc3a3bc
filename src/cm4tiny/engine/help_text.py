"""The text of ``cm run script --help`` and ``cm help script``."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from cm4tiny.engine import options
from cm4tiny.engine.meta import Script


def write_help(script: Script) -> None:
    title = f"{script.alias}: {script.meta.get('name', '')}".rstrip(": ")
    lines = [title, f"  tags: {','.join(script.tag_list)}", f"  path: {script.path}"]
    if script.variations:
        lines.append("  variations:")
        for name, block in script.variations.items():
            notes = [f"group {block['group']}"] if "group" in block else []
            notes += ["default"] if "default" in block else []
            lines.append(f"    _{name}" + (f"  ({', '.join(notes)})" if notes else ""))
    mapping = script.meta.get("input_mapping") or {}
    described = script.meta.get("input_description") or {}
    if mapping:
        lines.append("  flags:")
        for flag, key in mapping.items():
            about = described.get(flag) or {}
            text = about.get("desc", "") if isinstance(about, Mapping) else str(about)
            lines.append(f"    --{flag}  {text or f'sets {key}'}")
    lines.append("  flags of every script:")
    lines += [f"    --{option.name}  {option.help}" for option in options.OPTIONS.values() if option.available]
    sys.stdout.write("\n".join(lines) + "\n")
