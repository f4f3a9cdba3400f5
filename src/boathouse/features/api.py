"""What other slices use of features. The processes of models take the modules themselves, and so come without a database."""

from boathouse.catalog.api import on_rename
from boathouse.features.errors import FeatureSpecInvalid, OnlineTableNotFound, OnlineTableReplaced
from boathouse.features.functions import FunctionSource, OnlineFunction
from boathouse.features.online import OnlineReader
from boathouse.features.online_places import Place
from boathouse.features.online_places import reader as online_reader
from boathouse.features.publishing import Publisher
from boathouse.features.references import FeatureReferences
from boathouse.features.renames import follow
from boathouse.features.service import FeatureService, OnlineTable
from boathouse.features.spec import METADATA_KEY, FeatureSpec, SpecLookup

on_rename(follow)

__all__ = [
    "METADATA_KEY",
    "FeatureReferences",
    "FeatureService",
    "FeatureSpec",
    "FeatureSpecInvalid",
    "FunctionSource",
    "OnlineFunction",
    "OnlineReader",
    "OnlineTable",
    "OnlineTableNotFound",
    "OnlineTableReplaced",
    "Place",
    "Publisher",
    "SpecLookup",
    "online_reader",
]
