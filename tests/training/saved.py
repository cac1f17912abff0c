"""What the tests of saved files save, and when two arrays are the same."""

import numpy as np

SPEC = {"name": "Grüße 😀", "sizes": [3, 2], "rate": 0.1, "nothing": None, "text": '[{"\\' * 40, "deep": {"yes": True}}
TENSORS = {"0/w": np.arange(6, dtype=np.float32).reshape(2, 3), "mu/0.B": np.array(-0.0), "n": np.array(7, np.int32)}


def bits(array):
    """What must not change: type, shape and bytes."""
    return array.dtype, array.shape, array.tobytes()


def same(found, expected):
    assert found.keys() == expected.keys()
    for name in expected:
        assert bits(found[name]) == bits(np.asarray(expected[name])), name
