"""What the figures in the README come from; each file runs alone, e.g. `python -m benchmarks.first_model`."""
