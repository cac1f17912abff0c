"""Optimisers made of others, and links for chains."""
