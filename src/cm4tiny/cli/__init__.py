# SPDX-License-Identifier: Apache-2.0
"""The command ``cm4tiny``: verbs that run the same steps as ``cm run script``, without CM being set up."""
