"""A training file before anyone pays for it."""
