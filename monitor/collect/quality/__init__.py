"""Whether a feed can be believed: schema drift, sides, health."""
