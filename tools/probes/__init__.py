"""The audit's judgement: what the figures of the probes mean, in words, with what would repair it."""
