"""Explanations of a model that was judged: what drives it, why one row, what would change an answer."""
