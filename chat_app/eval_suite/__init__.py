"""What `modelwright eval` asks a model, with the answers that are known to be right."""
