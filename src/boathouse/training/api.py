"""What other slices use of training."""

from boathouse.training.errors import CodeMissing
from boathouse.training.evidence import ENVIRONMENT, REPRODUCES_TAG, SOURCE_TAG
from boathouse.training.service import Runs, Training, forget_reads

__all__ = ["ENVIRONMENT", "REPRODUCES_TAG", "SOURCE_TAG", "CodeMissing", "Runs", "Training", "forget_reads"]
