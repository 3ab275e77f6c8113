"""Tests of what is peculiar to the Wise Platform."""
