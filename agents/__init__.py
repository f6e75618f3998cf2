"""The graph and the agents: each agent is one file with one decision."""
