"""MLflow warns of its own type hints when it is first imported; that is none of these tests' concern."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.pyfunc  # noqa: F401
