"""The public Python API: what `import certkit` offers is defined here, and everything else may move."""
