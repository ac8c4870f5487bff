"""What runs beside the monitor: rules, routes, dashboards, the compose file. Nothing here is in the package."""
