"""How a step of a deployment job fails."""


class NotPassed(Exception):
    """A version has not passed an evaluation; the message names the checks."""


class NotApproved(Exception):
    """Nobody has approved a version, or somebody has rejected it."""


class NotDeployed(Exception):
    """A version was taken back from an endpoint, or never came to serve."""
