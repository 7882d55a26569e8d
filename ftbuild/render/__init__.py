"""Examples -> the lines a provider trains on. Nothing of ours goes into a line: provenance stays beside it."""
