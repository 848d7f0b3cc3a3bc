# SPDX-License-Identifier: Apache-2.0
"""Names what the user gave, files by their content, so that results are cached by it under every engine."""

from pathlib import Path

from cm4tiny import cm
from cm4tiny.fetch.hashes import input_digest
from cm4tiny.firmware.recipe import check_given_model

FILES = {"CM_TINY_MODEL_FILE": "CM_TINY_MODEL_SHA256", "CM_TINY_COSTS_FILE": "CM_TINY_COSTS_SHA256"}
NO = ("", "no", "off", "false", "0")


@cm.step
def preprocess(step):
    check_given_model(step.env.get("CM_TINY_ENGINE", ""), step.env.get("CM_TINY_MODEL", ""), step.path("CM_TINY_MODEL_FILE"))
    for key, name in FILES.items():
        if step.path(key):
            step.env[name] = input_digest(Path(step.path(key)))
    step.env["CM_TINY_TUNING"] = "untuned" if str(step.env.get("CM_TINY_TUNE", "")).lower() in NO else "tuned"
