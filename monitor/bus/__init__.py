"""Records on their way from collectors to detectors and on to desks."""
