"""Makes the models and samples that are shipped in ``cm4tiny/benchmarks/embedded`` (see README.md beside this file)."""
