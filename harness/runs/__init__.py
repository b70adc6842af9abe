"""A run from start to end: engine, dry run, shards, export; rainy copy, sheet of rains."""
