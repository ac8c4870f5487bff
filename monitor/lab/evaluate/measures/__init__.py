"""Measures: computes figures with confidence intervals from the outcomes of trials on many markets."""
