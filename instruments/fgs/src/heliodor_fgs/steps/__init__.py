"""Steps of guide star exposures."""
