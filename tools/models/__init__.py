"""Kinds of model that a user can choose by hand, their parameters, and ready-made choices (templates)."""
