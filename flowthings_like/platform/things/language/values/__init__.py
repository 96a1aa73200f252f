"""The values of the language: their types, and how they become text and plain data."""
