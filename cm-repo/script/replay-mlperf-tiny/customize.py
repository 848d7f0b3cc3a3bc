"""Recomputes the claims of rounds and says which ones hold."""

from cm4tiny import cm
from cm4tiny.results.replay import run_replay
from cm4tiny.results.replay.command import from_env


@cm.step
def check_inputs(step):
    from_env(step.env, [], "")


@cm.step
def preprocess(step):
    given = step.path("CM_TINY_REPLAY_PATH")
    fetched = [value for key, value in sorted(step.env.items()) if key.startswith("CM_MLPERF_TINY_RESULTS_V")]
    places = {key: step.path(f"CM_TINY_REPLAY_{key.upper()}") for key in ("labels", "expect")} | {"mirror": step.path("CM_TINY_MIRROR")}
    outdir = step.path("CM_TINY_OUTDIR") or f"{step.env.get('CM_TMP_CURRENT_PATH') or step.folder}/mlperf-tiny-replay"
    outcome = run_replay(from_env(step.env, [given] if given else fetched, outdir, **places), step.events)
    for key, path in zip(("CSV", "AUDIT", "JUNIT"), outcome.files, strict=True):
        step.env[f"CM_TINY_REPLAY_{key}"] = str(path)
    print(f"\n{outcome.summary}\n\nWritten: {', '.join(map(str, outcome.files))}")
    outcome.raise_if_failed()
