"""Runs benchmarks on a board and writes the sessions."""

from cm4tiny import cm
from cm4tiny.runner.campaign import Campaign, run_campaign


@cm.step
def check_inputs(step):
    Campaign.from_env(step.env)


@cm.step
def preprocess(step):
    step.env["CM_TINY_OUTCOME"] = str(run_campaign(Campaign.from_env(step.env), step.events))
