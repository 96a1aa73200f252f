"""The text of a query: the grammar, the parser, literals, and the formatter of closures."""
