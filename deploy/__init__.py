"""Files that run beside the monitor: rules, routes, dashboards, the compose file. Nothing here is in the package."""
