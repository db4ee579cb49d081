"""Rolling origins over any long table: each model sees what was known at a cutoff, and nothing else."""
