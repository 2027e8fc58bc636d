"""The parts of bench.py: cases, processes, the two programs, the floor, curves, tables, plots."""
