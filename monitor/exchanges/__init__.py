"""One folder an exchange: pure ``parse``, connection plans, REST answers. ``toolkit`` is what they share."""
