"""One verb each, from start to end."""
