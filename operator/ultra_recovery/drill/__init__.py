"""The drill: a throw-away service is broken on purpose, and the operator has to mend it in time."""
