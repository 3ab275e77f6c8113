"""Results turned into text: pure functions, one module for each format."""
