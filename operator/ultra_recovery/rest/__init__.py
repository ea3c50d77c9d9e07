"""The recovery API: it reads the cluster and writes intents; the engine acts. The only package that knows FastAPI."""
