"""First-order rules, which use a gradient, one family per file."""
