"""How good the detector is: labels, matching, figures with intervals, baselines, and what loss costs it."""
