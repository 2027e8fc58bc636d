"""Extend references to pixels that they lack."""
