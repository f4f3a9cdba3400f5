"""What other slices use of secrets."""

from boathouse.secrets.references import SecretReferences
from boathouse.secrets.service import Permission, Reference, SecretService

__all__ = ["Permission", "Reference", "SecretReferences", "SecretService"]
