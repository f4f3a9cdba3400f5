"""Comments on notebooks and files: threads at cells, found again after the notebook has changed."""
