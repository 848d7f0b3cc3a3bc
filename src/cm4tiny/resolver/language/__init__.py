# SPDX-License-Identifier: Apache-2.0
"""What metas, tags and flags mean: vocabulary, variations, conditions, environment, dependencies, versions, options."""
