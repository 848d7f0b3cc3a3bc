# SPDX-License-Identifier: Apache-2.0
"""From a model to a firmware image: the compiler, the integer kernels, tool chains, builds and the check of images.

Import the parts by their modules: :mod:`~cm4tiny.firmware.microtvm`, :mod:`~cm4tiny.firmware.reference`,
``cm4tiny.firmware.toolchain``, ``cm4tiny.firmware.build``, ``cm4tiny.boards.elf_image``. This package itself imports none of them, so
that reading an image does not need a compiler.
"""
