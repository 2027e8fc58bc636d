"""Builds of the operational pipeline: what each was, and how it differed from those after it."""
