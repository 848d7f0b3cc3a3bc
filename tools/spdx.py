"""Puts the licence line at the head of every source file: ``python tools/spdx.py``; ``--check`` lists the files without it and fails.

The line is the short form of the SPDX specification (annex E, "SPDX short identifiers in source files"). It is the first line, behind what
must come first: ``#!``, ``<!doctype>``. Data, documents and generated pages have none; LICENSE covers them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINE = "SPDX-License-Identifier: Apache-2.0"
FORMS = {
    "# {}\n": (".py", ".sh", ".yaml", ".yml", ".toml", ".pyi"),
    "// {}\n": (".c", ".h", ".cc", ".S", ".js"),
    "/* {} */\n": (".ld", ".css"),
    "<!-- {} -->\n": (".html",),
}
NAMED = {".ci/run": "# {}\n"}
"""Sources whose name does not say what they are."""
HEAD = 5
"""The line stands in the first five lines."""


def form_of(name: str) -> str | None:
    """How a file's comments look; None for a file that is no source."""
    suffix = Path(name).suffix
    return NAMED.get(name) or next((form for form, suffixes in FORMS.items() if suffix in suffixes), None)


def sources() -> list[str]:
    """Every source file that git tracks or would track, relative to the checkout; those of a plain copy are found by their names."""
    asked = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
    else:
        names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return sorted(name for name in names if form_of(name) and (ROOT / name).is_file())


def has_line(text: str) -> bool:
    """Whether the licence line stands at the head of a text."""
    return any(LINE in line for line in text.splitlines()[:HEAD])


def with_line(name: str, text: str) -> str:
    """The text with the licence line, once."""
    form = form_of(name)
    if form is None or has_line(text):
        return text
    first, rest = "", text
    if text.startswith(("#!", "<!doctype", "<!DOCTYPE")):
        first, _, rest = text.partition("\n")
        first += "\n"
    return first + form.format(LINE) + rest


def missing() -> list[str]:
    """Source files without the line. An empty file needs none."""
    texts = ((name, (ROOT / name).read_text(encoding="utf-8")) for name in sources())
    return [name for name, text in texts if text.strip() and not has_line(text)]


def main() -> int:
    """Writes the lines, or lists the files that have none."""
    names = missing()
    if "--check" in sys.argv[1:]:
        print("\n".join(names) or f"all {len(sources())} source files have the line")
        return bool(names)
    for name in names:
        path = ROOT / name
        path.write_text(with_line(name, path.read_text(encoding="utf-8")), encoding="utf-8", newline="")
    print(f"{len(names)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
