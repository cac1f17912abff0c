"""Rows and parameters that the tests share, so that they share compiled programs."""

import numpy as np

RNG = np.random.default_rng(0)
N = 60  # from 50 rows on the defaults are those of the command line
X = RNG.normal(size=(N, 3))
Y = X[:, 0] + X[:, 1] ** 2
CODES = (Y > 0.7).astype(int)
WORDS = np.array(["low", "high"])[CODES]
QUICK = {"hidden_layer_sizes": 4, "max_iter": 3, "random_state": 7}
