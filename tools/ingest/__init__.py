"""Data in: any table file becomes one typed Parquet table plus an account of what was repaired or rejected."""

from tools.ingest.dataset import Column, ColumnType, Dataset, Rejected
from tools.ingest.errors import IngestError
from tools.ingest.limits import Limits
from tools.ingest.read import ingest

__all__ = ["Column", "ColumnType", "Dataset", "IngestError", "Limits", "Rejected", "ingest"]
