"""Git folders: folders of the workspace that are checkouts, and the credentials that they are fetched and pushed with."""
