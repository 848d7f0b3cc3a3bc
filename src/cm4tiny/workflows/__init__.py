# SPDX-License-Identifier: Apache-2.0
"""What a step does from end to end: a class of its options and one function, which ``customize.py`` binds with :func:`cm4tiny.cm.step`."""
