"""Training: what runs of MLflow were made of (data, code, environment), and how to make them again."""
