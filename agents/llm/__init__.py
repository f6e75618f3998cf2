"""Language models as the agents know them: endpoints, one call, what went wrong, what it cost."""
