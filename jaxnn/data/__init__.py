"""Data sets by name, tables from files, and splits: everything as numpy arrays, everything from a seed."""

from jaxnn.data.dataset import Dataset
from jaxnn.data.named import NAMES, load
from jaxnn.data.splits import Split, split
from jaxnn.data.tables import Table, read_table

__all__ = ["NAMES", "Dataset", "Split", "Table", "load", "read_table", "split"]
