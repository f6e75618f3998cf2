"""The improvement search: a language model changes the recipe, and what it gains is measured where it cannot cheat."""
