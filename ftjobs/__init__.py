"""Fine-tuning jobs that are priced before, created once and billed in a ledger."""

__version__ = "0.1.0"
