"""The REST door: what the cards of the chat and other programs say and fetch over HTTP."""
