# SPDX-License-Identifier: Apache-2.0
"""Engines whose code is fetched, not written here: TensorFlow Lite for Microcontrollers and the microTVM submission of round v1.0.

Each one turns sources that a step has fetched, pinned by commit, into :class:`~cm4tiny.firmware.inference_code.InferenceCode`.
"""
