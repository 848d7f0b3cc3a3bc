# SPDX-License-Identifier: Apache-2.0
"""Kernels on packed int8 in plain loops: of operators without a fast kernel, and of forms that the fast ones leave out.

Each is written once, for every shape; none has a loop that depends on the values. Costs are estimates from the number of loads, stores
and instructions per value; they only compete with nothing, so that they decide about no plan.
"""
