"""Data sets by name, tables from files, and splits: everything as numpy arrays, everything from a seed."""

from jaxnn.data.cells import MISSING
from jaxnn.data.dataset import Dataset
from jaxnn.data.named import NAMES, load
from jaxnn.data.nist import NIST, Nist, read_nist
from jaxnn.data.splits import Split, split
from jaxnn.data.table import Table
from jaxnn.data.tables import read_table

__all__ = ["MISSING", "NAMES", "NIST", "Dataset", "Nist", "Split", "Table", "load", "read_nist", "read_table", "split"]
