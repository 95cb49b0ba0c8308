"""The suites of ./test: each module has a prepare (builds) and a run (counts into the report)."""
