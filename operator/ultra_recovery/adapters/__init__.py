"""Adapters: the only code that talks to the outside. Each implements ports; only the wiring knows them."""
