"""The only place where code that we did not write runs."""
