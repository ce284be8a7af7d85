"""The dashboards of deploy/grafana, drawn without Grafana, for a person to look at."""
