# SPDX-License-Identifier: Apache-2.0
"""Which files of this package are behind a module: what it imports, what that imports, and the data next to them.

Imports are read as text, wherever they stand: at the top of a module, or in a function. What is imported for types only does not count. Of
a package that loads its names when they are used (``__getattr__``) only the modules of the imported names count. Data are the files next to
a module that are no Python, and those in folders there that are not packages. An import that ends with the comment
``# not in a key: REASON`` is not followed: it leads to code that judges a result and does not shape it. A module that lists its own folder
(``pkgutil.iter_modules``) imports all modules there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FOR_TYPES = re.compile(rb"^([ \t]*)if TYPE_CHECKING:\n(?:(?:\1[ \t]+[^\n]*)?\n)+", re.MULTILINE)
_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+(?P<home>cm4tiny(?:\.\w+)*)[ \t]+import[ \t]+(?:\((?P<many>[^)]*)\)|(?P<names>[^\n#]*))"
    rb"|import[ \t]+(?P<modules>cm4tiny[^\n#]*))(?P<comment>[^\n]*)",
    re.MULTILINE,
)
_COMMENT = re.compile(rb"#[^\n]*")
_NAME = re.compile(rb"([\w.]+)(?:[ \t]+as[ \t]+\w+)?")
_JUDGES = b"# not in a key:"
_LAZY = b"\ndef __getattr__("
_LISTS = b"pkgutil.iter_modules("
SOURCES = b"firmware_sources"
"""A module that imports this reads the C sources, which lie outside the package in a checkout (:mod:`cm4tiny.paths`)."""
_NOT_DATA = (".py", ".pyc", ".md", ".rst", ".txt~")


def imports(source: bytes, package: Path) -> frozenset[str]:
    """Modules of the package ``cm4tiny`` in ``package`` that a Python source imports, by dotted name."""
    found: set[str] = set()
    for home, name in _imported(_FOR_TYPES.sub(b"", source)):
        found |= _homes(package, home, name)
    return frozenset(found)


def behind(modules: frozenset[str], package: Path) -> frozenset[Path]:
    """All files of the package that these modules are made of and read."""
    reached: set[Path] = set()
    todo = [file for name in modules for file in _with_packages(package, name)]
    reads_sources = False
    while todo:
        file = todo.pop()
        if file in reached:
            continue
        reached.add(file)
        module = _module(file, package)
        reads_sources = reads_sources or module.reads_sources
        todo += module.imported
    data = {file for folder in {file.parent for file in reached} - {package} for file in _data(folder)}
    sources = _below(sources_folder(package)) if reads_sources else ()
    return frozenset(reached | data | set(sources))


class _Module(NamedTuple):
    """What a file imports, as files, and whether it reads the C sources."""

    imported: tuple[Path, ...]
    reads_sources: bool


@cache
def _module(file: Path, package: Path) -> _Module:
    source = file.read_bytes()
    imported = {below for name in imports(source, package) for below in _with_packages(package, name)}
    if _LISTS in source:
        imported |= set(file.parent.glob("*.py"))
    return _Module(tuple(imported), SOURCES in source and file != package / "paths.py")


def forget() -> None:
    """Reads all files again when they are asked for: for processes that outlive a change."""
    for remembered in (_module, _homes, _file, _with_packages, _data):
        remembered.cache_clear()


def is_checkout(package: Path) -> bool:
    """True if the package runs from a source tree and not from an installed wheel."""
    return (package.parent.parent / "pyproject.toml").is_file()


def sources_folder(package: Path) -> Path:
    """Where the C sources lie: next to ``src`` in a checkout, inside the package in a wheel."""
    return package.parent.parent / "firmware" if is_checkout(package) else package / "firmware_sources"


def _imported(source: bytes) -> Iterator[tuple[str, str]]:
    """(module, name) of each import; the name is empty where a whole module is imported."""
    for match in _IMPORT.finditer(source):
        if _JUDGES in match["comment"]:
            continue
        if match["home"] is None:
            yield from ((name.decode(), "") for name in _NAME.findall(match["modules"]))
            continue
        listed = match["names"] if match["many"] is None else _COMMENT.sub(b"", match["many"])
        for name in _NAME.findall(listed):
            yield match["home"].decode(), name.decode()


@cache
def _homes(package: Path, home: str, name: str) -> frozenset[str]:
    """The modules behind ``from HOME import NAME``: HOME, and NAME if that is a module or what a lazy package has it from."""
    inner = f"{home}.{name}"
    if name and _file(package, inner) is not None:
        return frozenset({inner})
    file = _file(package, home)
    if name and file is not None:
        source = file.read_bytes()
        if _LAZY in source:
            lazily = {(where, one) for block in _FOR_TYPES.finditer(source) for where, one in _imported(block[0])}
            return frozenset({home}).union(*(_homes(package, where, one) for where, one in lazily if one == name))
    return frozenset({home})


@cache
def _file(package: Path, name: str) -> Path | None:
    place = package.parent.joinpath(*name.split("."))
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)


@cache
def _with_packages(package: Path, name: str) -> tuple[Path, ...]:
    """The file of a module, and those of the packages around it, which are executed before it."""
    parts = name.split(".")
    files = (_file(package, ".".join(parts[:count])) for count in range(1, len(parts) + 1))
    return tuple(file for file in files if file is not None)


@cache
def _data(folder: Path) -> tuple[Path, ...]:
    """Files of a package that are no Python, and all of its folders that are not packages."""
    found: list[Path] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith((".", "__pycache__")):
                continue
            if entry.is_dir():
                found += () if (path / "__init__.py").is_file() else _below(path)
            elif not entry.name.endswith(_NOT_DATA):
                found.append(path)
    return tuple(found)


def _below(folder: Path) -> Iterator[Path]:
    """Regular files of a folder, without caches, documentation and hidden ones."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        yield from (Path(root, name) for name in names if not name.startswith(".") and not name.endswith(_NOT_DATA))
