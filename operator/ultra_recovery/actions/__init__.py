"""Recovery actions, one file each, on ports only."""
