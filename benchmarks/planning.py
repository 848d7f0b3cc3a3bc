# SPDX-License-Identifier: Apache-2.0
"""Times planning: all of upstream's scripts, and one script among 300, 3,000 and 30,000.

Every figure is CPU time (user and system) of a process of its own, the median of several. Upstream's scripts come from PyPI's cmx4mlops; a
folder that holds the installed package may be given instead.

    python benchmarks/planning.py [FOLDER]
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

UPSTREAM = "cmx4mlops==1.0.1"
SIZES = (300, 3_000, 30_000)
REPEATS = 5

_HEAD = """
import sys, time
from pathlib import Path
import cm4tiny.resolver
from cm4tiny.resolver.plan.plan_cache import PlanCache
from cm4tiny.resolver.plan.planner import Planner
from cm4tiny.resolver.catalogue.repository import Repository, ScriptStore
from cm4tiny.resolver.plan.resolve import Request, pick, resolve
begun = time.process_time()
store = ScriptStore([Repository(Path(sys.argv[1]), "r")], catalogue_dir=Path(sys.argv[2]))
"""
PLAN_ALL = f"""{_HEAD}
planner, plan_cache, runs = Planner(store), PlanCache(), 0
scripts = store.scripts
for script in scripts:
    request = Request(name=script.alias)
    chosen, query = pick(store, request, quiet=True)
    runs += planner.plan(resolve(chosen, query, request), plan_cache).size()
print(time.process_time() - begun, len(scripts), runs)
"""
PLAN_ONE = f"""{_HEAD}
request = Request(tags=sys.argv[3])
script, query = pick(store, request)
node = Planner(store).plan(resolve(script, query, request))
print(time.process_time() - begun, 1, node.size())
"""


def cpu_of(program: str, *arguments: str) -> tuple[float, int, int]:
    """Seconds, scripts and runs that a program prints."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    seconds, scripts, runs = done.stdout.split()
    return float(seconds), int(scripts), int(runs)


def median_of(program: str, *arguments: str) -> tuple[float, int, int]:
    """The median time of several processes."""
    rows = [cpu_of(program, *arguments) for _ in range(REPEATS)]
    return statistics.median(row[0] for row in rows), *rows[0][1:]


def bare_start() -> float:
    """CPU seconds of a process that only imports the engine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "import cm4tiny.resolver"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def generate(root: Path, count: int) -> None:
    """A repository of scripts; ``one-N`` needs three others, each of which needs two."""
    for number in range(count):
        folder = root / "script" / f"generated-{number}"
        folder.mkdir(parents=True)
        deps = [{"tags": f"generated,number-{(number + step) % count}"} for step in ((1, 2, 3) if number % 4 == 0 else (97, 98))]
        meta = {
            "alias": folder.name, "uid": f"{number:016x}", "automation_alias": "script", "automation_uid": "5b4e0237da074764",
            "tags": ["generated", f"number-{number}", f"kind-{number % 7}"], "deps": deps if number < 100 else [],
            "default_env": {"CM_A": "1"}, "variations": {"x": {"env": {"CM_X": "1"}, "group": "g", "default": True}, "y": {"group": "g"}},
        }  # fmt: skip
        (folder / "_cm.json").write_text(json.dumps(meta), encoding="utf-8")
        (folder / "customize.py").write_text("def preprocess(i):\n    return {'return': 0}\n", encoding="utf-8")


def all_of_upstream(base: Path, given: str) -> None:
    """The first table."""
    folder = Path(given) if given else base / "upstream"
    if not given:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), UPSTREAM]
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
    repository, catalogue = str(folder / "cmx4mlops" / "repo"), base / "catalogue"
    cold = cpu_of(PLAN_ALL, repository, str(catalogue))
    warm = median_of(PLAN_ALL, repository, str(catalogue))
    print(f"planning all {warm[1]} scripts of {UPSTREAM}: whole trees, {warm[2]} runs")
    print(f"  first time (metas are parsed)  {cold[0]:6.2f} s CPU")
    print(f"  afterwards                     {warm[0]:6.2f} s CPU   (target 3 s)")


def cost_against_size(base: Path) -> None:
    """The second table."""
    print(f"one script with its tree, in a process of its own; importing the engine alone takes {bare_start() * 1e3:.0f} ms CPU")
    print("  scripts registered   first time    afterwards")
    for count in SIZES:
        root, catalogue = base / f"r{count}", base / f"c{count}"
        generate(root, count)
        long_ago = 1_600_000_000
        os.utime(root / "script", (long_ago, long_ago))
        cold = cpu_of(PLAN_ONE, str(root), str(catalogue), "generated,number-0")
        warm = median_of(PLAN_ONE, str(root), str(catalogue), "generated,number-0")
        print(f"  {count:18,}   {cold[0] * 1e3:7.0f} ms    {warm[0] * 1e3:7.1f} ms   ({warm[2]} runs)")


def main() -> None:
    """Runs both and prints them."""
    base = Path(tempfile.mkdtemp(prefix="cm4tiny-planning-"))
    try:
        all_of_upstream(base, sys.argv[1] if len(sys.argv) > 1 else "")
        cost_against_size(base)
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
