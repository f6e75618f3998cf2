"""The graph's nodes: each surrounds one agent's decision with its effects (files, events), all safe to run twice."""
