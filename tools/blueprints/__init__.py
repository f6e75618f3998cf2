"""Ready-made problem templates, a folder each; `tools.blueprints.shelf` finds them. See docs/blueprints.md."""
