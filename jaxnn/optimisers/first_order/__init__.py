"""Rules that take a gradient, one family a file."""
