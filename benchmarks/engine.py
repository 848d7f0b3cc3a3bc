# SPDX-License-Identifier: Apache-2.0
"""The engine next to upstream's, in one run: CPU time per executed script, a cold start, and both with more and more registered artefacts.

``python benchmarks/engine.py [--artifacts 300,3000,30000] [--upstream FOLDER]``. Upstream's engine is PyPI's cmx4mlops; it is installed
into a temporary folder unless ``--upstream`` names one that holds it. All figures are CPU times (user and system), the least of several
runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
UPSTREAM = "cmx4mlops==1.0.1"
ENGINES = {"upstream": "script,5b4e0237da074764", "cm4tiny": "tinyscript"}
HOOKS = "def preprocess(i):\n    return {'return': 0}\n\n\ndef postprocess(i):\n    i['env']['B_OUT'] = 'x'\n    return {'return': 0}\n"
CHAIN = 10
SCALE = (10_000, 50)
"""Registered scripts, and the length of a chain among them, for ``--scale``."""

#: In one process: CPU seconds of this process and of its children for a run, the least of several.
INSIDE = """
import json, resource, sys, time
import cmind

def children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

automation, tags, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
best = None
for _ in range(times):
    begun = time.process_time(), children()
    answer = cmind.access({"action": "run", "automation": automation, "tags": tags, "quiet": True, "silent": True})
    row = [time.process_time() - begun[0], children() - begun[1]]
    assert answer["return"] == 0, answer
    best = min(best or row, row)
print("RESULT " + json.dumps(best))
"""


def script(root: Path, alias: str, tags: list[str], *, hooks: bool = False, **meta: object) -> None:
    """Writes a script with a JSON meta."""
    folder = root / "script" / alias
    folder.mkdir(parents=True)
    uid = hashlib.sha256(alias.encode()).hexdigest()[:15] + "b"
    identity = {"alias": alias, "uid": uid, "automation_alias": "script", "automation_uid": "5b4e0237da074764", "tags": tags}
    (folder / "_cm.json").write_text(json.dumps({**identity, **meta}))
    if hooks:
        (folder / "customize.py").write_text(HOOKS)


def repository(root: Path, artifacts: int, chain: int = CHAIN, *, cache: bool = False) -> Path:
    """A repository with one step, a chain of steps, a step with a native script, and as many others as asked for."""
    root.mkdir(parents=True)
    (root / "cmr.yaml").write_text('alias: bench\nuid: "aaaabbbbccccdddf"\ngit: false\n')
    script(root, "bench-one", ["bench", "one"], hooks=True, new_env_keys=["B_OUT"])
    for number in range(chain):
        deps = [{"tags": f"bench,chain{number + 1}"}] if number + 1 < chain else []
        script(root, f"bench-chain-{number}", ["bench", f"chain{number}"], hooks=True, new_env_keys=["B_OUT"], deps=deps, cache=cache)
    script(root, "bench-native", ["bench", "native"])
    (root / "script" / "bench-native" / "run.sh").write_text("true\n")
    for number in range(artifacts):
        tags = ["filler", f"kind{number % 97}", f"number{number}"]
        script(root, f"filler-{number}", tags, default_env={"A": "1"}, variations={"x": {"env": {"A": "2"}}})
    return root


class Home:
    """A CM home with this project, upstream (None: without it) and a repository of the given size."""

    def __init__(self, base: Path, upstream: Path | None, artifacts: int, chain: int = CHAIN, *, cache: bool = False) -> None:
        self.home = base / f"home-{artifacts}-{cache}"
        self.home.mkdir()
        places = [ROOT / "src"] if upstream is None else [upstream]
        self.env = {
            **os.environ,
            "HOME": str(self.home),
            "CM_REPOS": str(self.home / "CM"),
            "PYTHONPATH": os.pathsep.join(map(str, places)),
        }
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        self.work = self.home / "work"
        self.work.mkdir()
        for place in (ROOT, repository(base / f"repo-{artifacts}-{cache}", artifacts, chain, cache=cache)):
            self.cm("add", "repo", f"--path={place}")

    def cm(self, *arguments: str) -> None:
        """Runs ``cm``."""
        command = [sys.executable, "-m", "cmind", *arguments]
        done = subprocess.run(command, cwd=self.work, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")

    def cold(self, *arguments: str, times: int = 7) -> float:
        """CPU milliseconds of a ``cm`` process, the least of several."""
        self.cm(*arguments)
        best = float("inf")
        for _ in range(times):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.cm(*arguments)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            best = min(best, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        return best * 1e3

    def inside(self, automation: str, tags: str, times: int = 7) -> tuple[float, float]:
        """CPU milliseconds of a run in a process that has made one before: its own, and those of the native scripts."""
        command = [sys.executable, "-c", INSIDE, automation, tags, str(times)]
        done = subprocess.run(command, cwd=self.work, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if not found:
            raise SystemExit(f"{automation} {tags} failed:\n{done.stdout}{done.stderr}")
        own, children = json.loads(found[-1].removeprefix("RESULT "))
        return own * 1e3, children * 1e3


def install(folder: Path) -> Path:
    """Puts upstream's engine into a folder."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), UPSTREAM]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
    return folder


def executed(home: Home) -> None:
    """CPU time per executed script."""
    print("\nCPU per executed script, in one process (ms): the engine's own + native scripts'")
    print(f"{'':34}{'upstream':>18}{'cm4tiny':>18}{'ratio':>8}")
    chain = [home.inside(automation, "bench,chain0")[0] / CHAIN for automation in ENGINES.values()]
    print(f"{f'hooks only, per script of {CHAIN}':34}{chain[0]:18.1f}{chain[1]:18.1f}{chain[0] / chain[1]:8.0f}")
    for tags in ("bench,one", "bench,native", "detect,os", "detect,cpu"):
        (left, left_native), (right, right_native) = (home.inside(automation, tags) for automation in ENGINES.values())
        texts = f"{left:.1f} + {left_native:.1f}", f"{right:.1f} + {right_native:.1f}"
        print(f"{tags:34}{texts[0]:>18}{texts[1]:>18}{left / right:8.0f}")


def cold(home: Home) -> None:
    """A process of its own for one script."""
    bare = home.cold("find", "automation", "tinyscript")
    print(f"\nCold start (ms CPU): cmind alone (cm find automation) {bare:.0f}")
    print(f"{'':34}{'upstream':>18}{'cm4tiny':>18}{'above cmind':>20}")
    for tags in ("bench,one", "bench,native", "detect,os"):
        left, right = (home.cold("run", automation, f"--tags={tags}", "--quiet") for automation in ENGINES.values())
        print(f"{tags:34}{left:18.0f}{right:18.0f}{left - bare:10.0f} / {right - bare:.0f}")


def growth(homes: dict[int, Home]) -> None:
    """The same with more registered artefacts."""
    print("\nWith more registered artefacts (ms CPU): in one process per run of bench,one; cold start above cmind")
    print(f"{'artefacts':>12}{'upstream':>12}{'cm4tiny':>12}{'cmind cold':>14}{'upstream +':>14}{'cm4tiny +':>14}")
    for artifacts, home in homes.items():
        inside = [home.inside(automation, "bench,one", times=4)[0] for automation in ENGINES.values()]
        bare = home.cold("find", "automation", "tinyscript", times=4)
        starts = [home.cold("run", automation, "--tags=bench,one", "--quiet", times=4) - bare for automation in ENGINES.values()]
        print(f"{artifacts:12}{inside[0]:12.1f}{inside[1]:12.1f}{bare:14.0f}{starts[0]:14.0f}{starts[1]:14.0f}", flush=True)


def scale(base: Path) -> None:
    """The warm start of a long chain among many scripts, without and with a cache."""
    for cache in (False, True):
        home = Home(base, None, SCALE[0], SCALE[1], cache=cache)
        bare = home.cold("find", "automation", "tinyscript")
        whole = home.cold("run", "tinyscript", "--tags=bench,chain0", "--quiet")
        what = "cached" if cache else "not cached"
        print(f"{SCALE[0]} scripts, warm start of a chain of {SCALE[1]}, {what}: {whole:.0f} ms CPU, cmind alone {bare:.0f}", flush=True)


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", default="300,3000,30000", help="numbers of registered artefacts")
    parser.add_argument("--upstream", type=Path, help="a folder that holds the package cmx4mlops")
    parser.add_argument("--scale", action="store_true", help="only: a chain of fifty scripts among ten thousand, without upstream's engine")
    options = parser.parse_args()
    if options.scale:
        with tempfile.TemporaryDirectory(prefix="cm4tiny-bench-") as folder:
            scale(Path(folder))
        return
    with tempfile.TemporaryDirectory(prefix="cm4tiny-bench-") as folder:
        base = Path(folder)
        upstream = options.upstream or install(base / "upstream")
        homes = {}
        for number in (int(word) for word in options.artifacts.split(",")):
            homes[number] = Home(base, upstream, number)
            if len(homes) == 1:
                executed(homes[number])
                cold(homes[number])
        growth(homes)


if __name__ == "__main__":
    main()
