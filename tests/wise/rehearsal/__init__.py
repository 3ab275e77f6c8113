"""Tests of the stand-in for Wise."""
