"""Dashboards: what a ``.lvdash.json`` file of the workspace says, with the data that its queries give the one who looks."""
