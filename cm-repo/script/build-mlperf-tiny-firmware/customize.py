"""The image is made by the step compile,mlperf,tiny,firmware-image (deps in _cm.yaml); nothing is left to do here."""


def preprocess(i):
    return {"return": 0}
