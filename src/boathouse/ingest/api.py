"""What other slices use of ingestion."""

from types import MappingProxyType

from boathouse.engine.api import Sources, TableFunctions
from boathouse.ingest.file_state import cloud_files_state
from boathouse.ingest.read_files import read_files
from boathouse.ingest.source import cloud_files, read_files_stream

SOURCES: Sources = MappingProxyType({"cloudfiles": cloud_files, "read_files": read_files_stream})
"""Streaming sources: ``readStream.format("cloudFiles")``, and the read that ``STREAM read_files(...)`` stands for."""

FUNCTIONS: TableFunctions = MappingProxyType({"read_files": read_files, "cloud_files_state": cloud_files_state})
"""Table functions in SQL."""

__all__ = ["FUNCTIONS", "SOURCES"]
