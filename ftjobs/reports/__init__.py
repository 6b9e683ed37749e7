"""Values as text and as JSON, side by side."""
