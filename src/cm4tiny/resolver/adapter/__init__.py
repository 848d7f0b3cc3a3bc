# SPDX-License-Identifier: Apache-2.0
"""CM's side: cmind's dictionaries in, cmind's ``{'return': n}`` out, and what scripts see of cmind."""
