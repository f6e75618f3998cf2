"""Plain functions over tables, contracts, code and scores: no model, no screen, no graph."""
