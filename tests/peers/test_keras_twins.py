"""The rows of the table of twins that need Keras, in double precision, on its JAX backend; and its defaults."""

import inspect

import keras
import pytest

from jaxnn.optimisers import PRESETS
from jaxnn.verify import table
from jaxnn.verify.first_order import accuracy, libraries, twins
from tests.verify.first_order.chunks import NAMES, checked, chunk

LIBRARY = ("keras",)
CLIPS = [{"clipnorm": 0.7}, {"clipvalue": 0.3}, {"global_clipnorm": 1.1}]


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("part", NAMES[LIBRARY])
def test_equal_rows(part, index):
    checked(chunk(LIBRARY, part), index)


def test_rows_that_differ_do_so_by_their_tabulated_size():
    rows = twins.compared_rows([twin for twin in twins.APART if twin.library in LIBRARY])
    assert [row for row in rows if row.verdict != table.UNEQUAL] == []


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("name", ["keras.SGD", "keras.RMSprop"])
def test_clipping(name, clip):
    assert twins.compared_rows([twins.Twin(name, name, ours=clip, theirs=clip)])[0].verdict == table.EQUAL


@pytest.mark.timeout(300)  # 84 s of processor time, most of it keras', beside other tests
def test_float32_errors():
    rows = accuracy.check(accuracy.measure(LIBRARY))
    assert [row for row in rows if row.verdict != table.HOLDS] == []
    assert {row.reference.partition(".")[0] for row in rows} == {"floor", "keras"}


def test_its_default_dtype_is_given_back():
    before = keras.config.floatx()
    with libraries.double(LIBRARY):
        assert keras.config.floatx() == "float64"
    assert keras.config.floatx() == before


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("keras.")])
def test_defaults(name):
    loop = {"use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps"}
    theirs = inspect.signature(getattr(keras.optimizers, name.removeprefix("keras."))).parameters
    given = inspect.signature(PRESETS[name]).parameters
    assert {key: value.default for key, value in given.items()} == {key: theirs[key].default for key in given}
    assert set(theirs) - set(given) <= {"name", "kwargs"} | loop
