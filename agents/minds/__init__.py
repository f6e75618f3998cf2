"""The models' minds: each improves on one expert's decision, and is held to the same facts."""
