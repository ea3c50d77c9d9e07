"""The composition root of a database Job: the request and mounted credentials → adapters → one action."""

from __future__ import annotations
