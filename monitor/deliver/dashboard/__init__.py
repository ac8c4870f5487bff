"""The live page: what happens now, for whoever has no Grafana; static files in the package, nothing from outside."""
