# SPDX-License-Identifier: Apache-2.0
"""Profiles images on the virtual board, layer by layer."""

import shutil

from cm4tiny import cm
from cm4tiny.firmware.build_inputs import check_build_inputs
from cm4tiny.profiling.command import ProfileRun, run_profiles


@cm.step
def check_inputs(step):
    check_build_inputs(step.env, step.path)


@cm.step
def preprocess(step):
    run = ProfileRun.from_env(step.env, step.path, step.events)
    for folder, table in run_profiles(run, step.events, width=shutil.get_terminal_size((170, 40)).columns):
        print(f"\n{table}\nProfile: {folder / 'profile.html'}\n         {folder / 'profile.json'} (also .txt, .svg)")
    step.env["CM_TINY_PROFILE_DIR"] = str(run.out)
