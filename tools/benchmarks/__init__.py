"""The benchmarks of tools/bench, one file each: measurements with a table, never a verdict on time."""
