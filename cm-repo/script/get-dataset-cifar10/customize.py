# SPDX-License-Identifier: Apache-2.0
"""Gets CIFAR-10's python version and, with _tiny, the samples of ic01 made from it."""

from cm4tiny import cm
from cm4tiny.workflows.get_dataset_cifar10 import Cifar10Options, get_cifar10

preprocess = cm.step(Cifar10Options, get_cifar10)
