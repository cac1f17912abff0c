"""The table of twins keeps its word, for the libraries that the default suite has; `tests/peers` has the others."""

import inspect

import pytest

from jaxnn import optimisers
from jaxnn.verify import table
from jaxnn.verify.first_order import libraries, twins
from tests.verify.first_order.chunks import NAMES, checked, chunk

pytestmark = pytest.mark.rounding(quickly=True)

DEFAULT = ("optax", "sklearn")


SLOW = [pytest.param(index, marks=pytest.mark.slow) for index in (2, 3, 4)]


@pytest.mark.parametrize("index", [1, *SLOW])  # draw 0 is that of the published table
@pytest.mark.parametrize("part", NAMES[DEFAULT])
def test_equal_rows(part, index):
    """Draws of every row's hyperparameters, each with gradients of its own."""
    checked(chunk(DEFAULT, part), index)


def test_rows_that_differ_do_so_by_their_tabulated_size():
    rows = twins.compared_rows([twin for twin in twins.APART if twin.library in DEFAULT])
    assert [row for row in rows if row.verdict != table.UNEQUAL] == []


def test_the_table_is_as_large_as_it_should_be():
    equal = [twin for twin in twins.TWINS if twin.apart is None]
    assert len(equal) >= 60
    assert len(twins.APART) >= 20
    assert {twin.rule for twin in twins.EQUAL_RULES} == set(optimisers.TABLE)
    boxes = {name for name in optimisers.PRESETS if name.startswith("goodfellow.")}  # held to the book's formulae
    assert {twin.rule for twin in equal} - set(optimisers.TABLE) == set(optimisers.PRESETS) - boxes


def test_no_row_stands_twice():
    rows = [(twin.rule, twin.reference, twin.mapping) for twin in twins.TWINS]
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize("twin", twins.TWINS, ids=lambda twin: f"{twin.rule} {twin.reference} {twin.mapping}")
def test_every_argument_of_a_row_is_one_of_ours(twin):
    factory = optimisers.PRESETS[twin.rule] if "." in twin.rule else optimisers.TABLE[twin.rule]
    assert {*twin.words, *twin.ours} <= set(inspect.signature(factory).parameters)


def verdicts(*rows):
    return [(row.verdict, row.why) for row in twins.compared_rows(rows)]


class TestAPlantedError:
    def test_in_a_mapping_is_seen(self):
        swapped = twins.same("adam", "optax.adam", "b1=b2 b2=b1 eps")
        assert verdicts(swapped) == [(table.FAILED, "the two no longer follow one rule")]

    def test_in_one_row_leaves_the_others_alone(self):
        unknown = twins.same("adam", "optax.adamm", "b1")
        refused = twins.same("adam", "optax.adam", "b1=beta")
        found = verdicts(unknown, refused, twins.same("sgd", "optax.sgd"))
        assert [verdict for verdict, _ in found] == [table.FAILED, table.FAILED, table.EQUAL]
        assert "no attribute 'adamm'" in found[0][1]
        assert "unexpected keyword argument 'beta'" in found[1][1]

    def test_on_our_side_is_told_too(self):
        ((verdict, why),) = verdicts(twins.same("radam", "optax.radam", ours={"threshold": 3.0}))
        assert verdict == table.FAILED
        assert "threshold ≥ 4" in why

    def test_rows_that_became_equal_are_noticed(self):
        ((verdict, why),) = verdicts(twins.unlike("adam", "optax.adam", 0.01, "no reason"))
        assert verdict == table.FAILED
        assert why == "0.01 when tabulated: one of the two has changed (no reason)"

    def test_differences_that_drifted_are_noticed(self):
        (row,) = (twin for twin in twins.APART if twin.reference == "optax.nadam")
        assert verdicts(row)[0][0] == table.UNEQUAL
        assert verdicts(row._replace(apart=row.apart * 1.03))[0][0] == table.FAILED


class TestALibraryThatIsNotThere:
    @pytest.fixture
    def without_optax(self, monkeypatch):
        monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: None)

    def test_is_listed_as_not_checked(self, without_optax):
        rows = twins.check(("optax",))
        assert len(rows) == sum(twin.library == "optax" for twin in twins.TWINS)
        assert {row.verdict for row in rows} == {table.UNCHECKED}
        assert {row.worst for row in rows} == {None}
        assert "optax is not installed: pip install '.[verify]'" in rows[0].why

    def test_has_no_version(self, without_optax):
        assert libraries.versions(("optax",)) == {}


def test_another_release_is_named_beside_the_tabulated_one(monkeypatch):
    monkeypatch.setattr(libraries.metadata, "version", lambda package: "9.9")
    assert libraries.versions(("optax",)) == {"optax": "9.9 (tabulated: 0.2.8)"}


def test_a_build_of_the_tabulated_release_is_that_release(monkeypatch):
    monkeypatch.setattr(libraries.metadata, "version", lambda package: "0.2.8+cpu")
    assert libraries.versions(("optax",)) == {"optax": "0.2.8+cpu"}


def test_keras_on_another_backend_is_not_compared_with(monkeypatch):
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: object())
    monkeypatch.delitem(libraries.sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert libraries.missing("keras") == "Keras is set to run on torch: set KERAS_BACKEND=jax before it is imported"


def test_an_unknown_library_is_told_with_the_known():
    with pytest.raises(ValueError, match=r"Unknown library 'tensorflow'.*Known: keras, optax, sklearn, torch"):
        twins.check(("tensorflow",))
