"""What other slices use of deployment."""

from boathouse.deployment.hooks import ModelDeployments
from boathouse.deployment.info import Replaced

__all__ = ["ModelDeployments", "Replaced"]
