"""Rendering of results as text: pure functions, one module for each format."""
