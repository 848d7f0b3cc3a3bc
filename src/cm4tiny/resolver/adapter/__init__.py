"""CM's side: cmind's dictionaries in, cmind's ``{'return': n}`` out, and what scripts see of cmind."""
