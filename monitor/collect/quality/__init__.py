"""Checks the quality of feeds: schema drift, the side of liquidations, connections that are down."""
