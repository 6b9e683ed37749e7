"""The nouns of a job: frozen values that every other package speaks in."""
