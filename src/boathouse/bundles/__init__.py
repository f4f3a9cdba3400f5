"""Bundles: a project's ``databricks.yml`` read, compared with what a server has, and deployed to it over REST alone."""
