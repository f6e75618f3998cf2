"""The parts of tools/profile.py: what is counted (facts, values), what a column is for (roles), the quality."""
