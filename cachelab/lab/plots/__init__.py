"""Plots: one visual language, and a module for each kind of picture."""
