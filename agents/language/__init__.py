"""How people write requests: words, column names, wishes and clauses. No model, no state."""
