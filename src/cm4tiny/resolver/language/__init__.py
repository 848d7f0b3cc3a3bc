"""What metas, tags and flags mean: vocabulary, variations, conditions, environment, dependencies, versions, options."""
