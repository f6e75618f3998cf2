"""The AutoML libraries that our recipe is measured against; each runs in a virtual environment of its own."""
