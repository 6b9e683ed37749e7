"""The cost trail."""
