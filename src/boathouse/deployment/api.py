"""What other slices use of deployment."""

from boathouse.deployment.hooks import ModelDeployments

__all__ = ["ModelDeployments"]
