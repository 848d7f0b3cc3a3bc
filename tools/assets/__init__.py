# SPDX-License-Identifier: Apache-2.0
"""Makes the models and samples that are shipped in ``cm4tiny/benchmarks/embedded`` (see README.md next to this file)."""
