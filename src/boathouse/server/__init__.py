"""One application: the routes of all slices, MLflow, the web page, and the gateway beside them."""
