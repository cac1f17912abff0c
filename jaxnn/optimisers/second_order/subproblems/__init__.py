"""Quadratic and cubic models of an objective, minimised: one solver a file, on flat vectors and dense matrices."""
