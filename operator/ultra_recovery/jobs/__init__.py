"""What the pod of a database Job runs: one file per action, on ports. `ultra-recovery job` starts it."""
