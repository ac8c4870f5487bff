"""Evaluation: measures how well the detector finds cascades, beside baselines and with intervals."""
