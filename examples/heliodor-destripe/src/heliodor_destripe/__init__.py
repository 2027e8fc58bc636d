"""Subtract the median of every row."""
