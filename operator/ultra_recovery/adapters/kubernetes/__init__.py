"""The ports on a real API server, through the asyncio client of the `kubernetes` package."""
