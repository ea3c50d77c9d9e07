"""Who calls, and what they may do: a file of tokens, or the API server's own judgement."""
