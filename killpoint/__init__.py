"""Killpoint."""
