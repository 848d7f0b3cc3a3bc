# SPDX-License-Identifier: Apache-2.0
"""The operators of the microTVM engine, one file each: what is accepted, how it becomes layers, the kernels and their costs, the reference.

A file of this folder that has an :class:`~cm4tiny.firmware.operators.base.Operator` named ``OPERATOR`` is part of the engine;
:mod:`cm4tiny.firmware.operators.registry` finds it by listing the folder. Files without one hold what several operators share.
"""
