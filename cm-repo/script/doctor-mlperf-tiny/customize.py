# SPDX-License-Identifier: Apache-2.0
"""Finds what is wrong with a bench: boards, ports, instruments, the serial line, the machine."""

from cm4tiny import cm
from cm4tiny.workflows.doctor_mlperf_tiny import DoctorOptions, check_doctor, doctor_step

check_inputs = cm.step(DoctorOptions, check_doctor)
preprocess = cm.step(DoctorOptions, doctor_step)
