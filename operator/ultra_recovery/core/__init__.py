"""Pure decisions. Time and randomness are arguments; nothing here does I/O."""
