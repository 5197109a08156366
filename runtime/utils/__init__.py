"""Helpers that other parts share: handles of hooks, and the hooks around a module's backward pass."""
