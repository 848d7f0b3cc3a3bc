# SPDX-License-Identifier: Apache-2.0
"""``docs/performance.md``: engines and compilers on the virtual board next to the published results.

``variants`` says what there is to measure, ``rows`` holds what was measured, ``targets`` what is to be reached; ``page``, ``compilers`` and
``chart`` write. Programs under ``benchmarks/`` measure; nothing here does.
"""
