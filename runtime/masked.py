"""Reductions and normalizations over the elements that a mask chooses."""
