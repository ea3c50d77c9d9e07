"""Pure decisions: breaker, signals, incident, gates, ladder, run. Time and randomness are arguments; nothing here does I/O."""
