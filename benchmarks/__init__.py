"""Benchmarks: one command, one table, every row beside a raw baseline measured in the same run."""
