# SPDX-License-Identifier: Apache-2.0
"""The state of the house in figures: ``python tools/house.py`` prints the table of circles, complexity, repeats and doubled names.

Everything is read from the sources of this checkout; nothing of the project is imported or run, apart from ruff for the complexity.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "cm4tiny"
COMPLEXITY = 10
LINES = 500
#: Where a figure is looked for: what ships.
PRODUCT = ("src/cm4tiny", "firmware", "cm-repo")
#: Where chips and boards are described, and what of a chip cannot be data: these are what another board or chip adds.
DESCRIPTIONS = ("src/cm4tiny/boards/boards/", "src/cm4tiny/boards/chips/", "firmware/chips/")
#: Tables of facts about what others published or measured, where a board's name is a name in their folders.
FACTS = (
    "src/cm4tiny/boards/energy/current.yaml",
    "src/cm4tiny/firmware/engines/octoml.yaml",
    "src/cm4tiny/firmware/engines/sources.yaml",
    "src/cm4tiny/images/images.yaml",
    "src/cm4tiny/results/published.csv",
    "src/cm4tiny/results/published_systems.csv",
    "src/cm4tiny/results/rounds/rounds.yaml",
)
TEXT = {".py", ".c", ".h", ".s", ".ld", ".yaml", ".json", ".csv", ".toml"}

Graph = dict[str, set[str]]


# --- imports ------------------------------------------------------------------------------------------------------------------------
def import_graph(source: Path = ROOT / "src") -> Graph:
    """Module -> modules of the package that it imports, anywhere in its text: at the top, in a function, for types only."""
    modules = {_name(path, source): path for path in sorted((source / PACKAGE).rglob("*.py"))}
    return {name: {found for found in _imported(path, modules) if found != name} for name, path in modules.items()}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _name(path: Path, source: Path) -> str:
    name = ".".join(path.relative_to(source).with_suffix("").parts)
    return name.removesuffix(".__init__")


def _imported(path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in modules else node.module for name in names if name in modules or node.module in modules)


def grouped(graph: Graph, prefix: str) -> Graph:
    """The graph of what lies directly in the package ``prefix``: its modules and sub-packages."""
    depth = prefix.count(".") + 2
    rooms: Graph = {}
    for module, imported in graph.items():
        if module.startswith(f"{prefix}."):
            room = ".".join(module.split(".")[:depth])
            found = {".".join(name.split(".")[:depth]) for name in imported if name.startswith(f"{prefix}.")}
            rooms.setdefault(room, set()).update(found - {room})
    return rooms


def circles(graph: Graph) -> list[tuple[str, ...]]:
    """Groups of nodes that reach each other, each sorted (Tarjan's strongly connected components without the single ones)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[tuple[str, ...]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for below in sorted(graph.get(node, ())):
            if below not in index:
                visit(below)
                low[node] = min(low[node], low[below])
            elif below in stack:
                low[node] = min(low[node], index[below])
        if low[node] == index[node]:
            place = stack.index(node)
            members = stack[place:]
            del stack[place:]
            if len(members) > 1:
                found.append(tuple(sorted(members)))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return sorted(found)


def all_circles(graph: Graph) -> list[tuple[str, ...]]:
    """Circles of modules, and of rooms that hold several modules."""
    found = circles(graph)
    parts = [name.split(".") for name in graph]
    for package in sorted({".".join(names[:depth]) for names in parts for depth in range(1, len(names))}):
        found += [circle for circle in circles(grouped(graph, package)) if circle not in found]
    return found


# --- what ships ----------------------------------------------------------------------------------------------------------------------
STARTS = (f"{PACKAGE}.__main__", f"{PACKAGE}.cli", f"{PACKAGE}.cm", f"{PACKAGE}.workflows")
"""Where a user's request enters: the command, what ``customize.py`` binds, the steps."""


def unreached(graph: Graph, source: Path = ROOT / "src") -> list[str]:
    """Modules that no request reaches: by imports, by a name or a program in a text, by a command or a name in the manual."""
    texts = {name: path.read_text(encoding="utf-8") for path in (source / PACKAGE).rglob("*.py") for name in [_name(path, source)]}
    outside = [path for folder in ("cm-repo", "docs") for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md")]
    named = {word for path in outside for word in re.findall(rf"{PACKAGE}(?:\.\w+)*", path.read_text(encoding="utf-8"))}
    waiting = [name for name in graph if name.startswith(STARTS) or name.removesuffix(".__main__") in named]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in graph:
            continue
        seen.add(name)
        quoted = re.findall(rf"(?:[\"']|from )({PACKAGE}(?:\.\w+)+)", texts[name])
        waiting += [*graph[name], *quoted, *(name.rpartition(".")[:1])]
    return sorted(set(graph) - seen)


# --- the picture ----------------------------------------------------------------------------------------------------------------------
PICTURE = re.compile(r"^<!-- rooms of (\S+) -->\n+```text\n(.*?)^```", re.M | re.S)


def pictures(page: str) -> dict[str, list[list[str]]]:
    """The pictures of a page, each a block after ``<!-- rooms of PACKAGE -->``: package -> lines of names from top to bottom.

    What stands behind two blanks of a line is its comment.
    """
    found = {}
    for package, body in PICTURE.findall(page):
        found[package] = [re.split(r"\s{2,}", line.strip())[0].split() for line in body.splitlines() if line.strip()]
    return found


def against_picture(graph: Graph, package: str, lines: Iterable[list[str]]) -> list[str]:
    """What is not as the picture says: rooms that are missing or too many, imports that do not lead to a lower line."""
    level = {f"{package}.{name}": number for number, names in enumerate(lines) for name in names}
    rooms = {room: below for room, below in grouped(graph, package).items() if not room.endswith("__main__")}
    problems = [f"{room} is not in the picture" for room in sorted(set(rooms) - set(level))]
    problems += [f"{room} is in the picture and does not exist" for room in sorted(set(level) - set(rooms))]
    for room, imported in sorted(rooms.items()):
        problems += [f"{room} imports {name}" for name in sorted(imported) if level.get(name, 1 << 30) <= level.get(room, -1)]
    return problems


# --- figures ---------------------------------------------------------------------------------------------------------------------------
def product_files() -> list[Path]:
    """Files that ship, without generated ones and assets."""
    listed = subprocess.run(["git", "ls-files", *PRODUCT], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in listed if Path(name).suffix in TEXT]


def naming(pattern: str, files: Iterable[Path]) -> list[str]:
    """Files with a word that fits a pattern."""
    wanted = re.compile(pattern)
    return [path.relative_to(ROOT).as_posix() for path in files if wanted.search(path.read_text(encoding="utf-8", errors="replace"))]


def naming_a_board(files: Iterable[Path]) -> list[str]:
    """Files that name the chip or the board and are neither descriptions nor tables of what others published."""
    named = naming(r"(?i)l4r5|stm32l4", files)
    return [name for name in named if name not in FACTS and not name.startswith(DESCRIPTIONS)]


def board_files() -> list[str]:
    """What another board with a chip of another series adds, by the example of today's: its description, its chip's, its start-up code."""
    listed = subprocess.run(["git", "ls-files", *DESCRIPTIONS], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    described = [name for name in listed if name.endswith(".yaml")]
    folders = sorted({str(Path(name).parent) for name in listed if name.startswith(DESCRIPTIONS[-1]) and not name.endswith("host/board.c")})
    return sorted(described) + [f"{folder}/" for folder in folders]


def long_files(files: Iterable[Path]) -> list[str]:
    """Files with more lines than :data:`LINES`."""
    return [path.relative_to(ROOT).as_posix() for path in files if len(path.read_text(encoding="utf-8").splitlines()) > LINES]


def complex_functions() -> list[str]:
    """``file:line name (complexity)`` of functions above the limit, as ruff's C901 counts."""
    command = ["ruff", "check", "--isolated", "--select", "C901", "--config", f"lint.mccabe.max-complexity={COMPLEXITY}"]
    done = subprocess.run([*command, "--output-format", "json", "--exit-zero", "src"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [
        f"{Path(row['filename']).relative_to(ROOT).as_posix()}:{row['location']['row']} {row['message']}" for row in json.loads(done.stdout)
    ]


def doubled_classes(source: Path = ROOT / "src") -> dict[str, list[str]]:
    """Public names of classes that several modules define."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((source / PACKAGE).rglob("*.py")):
        for node in _tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(_name(path, source))
    return {name: modules for name, modules in sorted(found.items()) if len(modules) > 1}


def _calls(files: Iterable[Path]) -> Iterator[tuple[str, ast.Call, str]]:
    """``file:line``, the call, and the last part of the called name."""
    for path in files:
        for node in _calls_of(path):
            yield f"{path.relative_to(ROOT).as_posix()}:{node.lineno}", node, getattr(node.func, "attr", getattr(node.func, "id", ""))


@cache
def _calls_of(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(_tree(path)) if isinstance(node, ast.Call)]


def calls(name: str, files: Iterable[Path]) -> list[str]:
    """``file:line`` of calls of a function by its name."""
    return [place for place, _, called in _calls(files) if called == name]


def renames(files: Iterable[Path]) -> list[str]:
    """``file:line`` of what is renamed: ``x.rename(y)``, ``os.replace(x, y)`` and ``x.replace(y)``, which for a text has two arguments."""
    return [place for place, call, called in _calls(files) if called in ("rename", "renames") or (called == "replace" and _moves(call))]


def _moves(call: ast.Call) -> bool:
    of_os = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "os"
    return of_os or (len(call.args) == 1 and not call.keywords)


def digests_of_whole_files(files: Iterable[Path]) -> list[str]:
    """``file:line`` of ``sha256(x.read_bytes())``, on however many lines."""
    return [
        place
        for place, call, called in _calls(files)
        if called == "sha256" and any(".read_bytes(" in ast.unparse(argument) for argument in call.args)
    ]


def reads_of(key: str, files: Iterable[Path]) -> list[str]:
    """``file:line`` of calls with an environment key as an argument: ``os.environ.get("KEY")``."""
    return [place for place, call, _ in _calls(files) if any(getattr(one, "value", None) == key for one in call.args)]


def words_for_switches(files: Iterable[Path]) -> list[str]:
    """``file:line`` of literal collections that hold a yes and its no."""
    found = []
    for path in files:
        for node in ast.walk(_tree(path)):
            if isinstance(node, (ast.Set, ast.Tuple, ast.List)):
                words = {one.value for one in node.elts if isinstance(one, ast.Constant) and isinstance(one.value, str)}
                if any(pair <= words for pair in ({"yes", "no"}, {"true", "false"}, {"on", "off"}, {"yes", "true"}, {"no", "false"})):
                    found.append(f"{path.relative_to(ROOT).as_posix()}:{node.lineno}")
    return found


def below_the_edge() -> list[Path]:
    """Modules of the resolver that get typed options, not flags."""
    resolver = ROOT / "src" / PACKAGE / "resolver"
    return [path for path in sorted(resolver.rglob("*.py")) if path.parent.name not in ("adapter", "language")]


def one_home(python: list[Path]) -> list[tuple[str, list[str]]]:
    """The rows of what has one home: places that do it elsewhere."""
    outside = [path for path in python if path.name not in ("files.py", "scratch.py")]
    no_step = [path for path in python if path.name != "settings.py" and not {"workflows", "resolver"} & set(path.parts)]
    return [
        ("on/off read from a text below the resolver's edge", calls("is_on", below_the_edge())),
        ("files and folders renamed outside cm4tiny.files and scratch", calls("mkstemp", outside) + renames(outside)),
        ("files read whole for a digest outside cm4tiny.digests", digests_of_whole_files(outside)),
        ("words for yes and no outside cm4tiny.settings", words_for_switches([path for path in python if path.name != "settings.py"])),
        ("output folders and jobs read outside cm4tiny.settings", naming(r"CM_OUTDIRNAME|CM_TINY_OUTDIR|CM_TINY_JOBS", no_step)),
        ("the switch for sanitizers read outside cm4tiny.settings", reads_of("CM_TINY_SANITIZE", no_step)),
        ("numbers of cores read outside cm4tiny.settings", calls("cpu_count", [path for path in python if path.name != "settings.py"])),
    ]  # fmt: skip


def rows() -> list[tuple[str, list[str]]]:
    """The table: what is counted, and what was found."""
    files = product_files()
    python = [path for path in files if path.suffix == ".py"]
    graph = import_graph()
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return [
        ("circles of modules or rooms", [" ".join(name.removeprefix(f"{PACKAGE}.") for name in circle) for circle in all_circles(graph)]),
        ("imports against the picture of docs/architecture.md", [
            problem for package, lines in pictures(page).items() for problem in against_picture(graph, package, lines)
        ]),
        (f"functions above complexity {COMPLEXITY}", complex_functions()),
        (f"files above {LINES} lines", long_files(python)),
        ("modules that ship and that no request of a user reaches", unreached(graph)),
        ("files that name the chip or the board, apart from descriptions and tables of published facts", naming_a_board(files)),
        ("descriptions of boards and chips, and folders of start-up code: another board adds one to three", board_files()),
        ("files that name pooling, as an example of an operator", naming(r"(?i)average_?pool|avg_?pool|max_?pool", files)),
        ("files that name round v1.3, as an example of a round", naming(r"v1\.3\b", files)),
        ("public class names that several modules define", [f"{name}: {', '.join(where)}" for name, where in doubled_classes().items()]),
        *one_home(python),
    ]  # fmt: skip


def main(arguments: list[str]) -> None:
    """Prints the table; with ``-v`` what was found as well."""
    for title, found in rows():
        print(f"{len(found):4d}  {title}")
        if "-v" in arguments:
            print("".join(f"        {line}\n" for line in found), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
