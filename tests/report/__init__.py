"""Reports: results to text."""
