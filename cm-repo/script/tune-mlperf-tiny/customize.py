"""The kernels are measured by the step measure,mlperf,tiny,kernels (deps in _cm.yaml); nothing is left to do here."""


def preprocess(i):
    return {"return": 0}
