"""What notebooks show: well-formed HTML, escaped, with the numbers of the objects themselves."""

import math
from html.parser import HTMLParser

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import Objective, data, html, losses, mlp, optimisers, preprocessing, training, verify


class Reader(HTMLParser):
    """The cells of all tables, row by row, and the text; fails where tags do not pair up."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.words, self.points = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "polyline":
            self.points = [tuple(map(float, point.split(","))) for point in dict(attributes)["points"].split()]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


HOSTILE = "<script>alert('x')</script> & \"quotes\""


@pytest.mark.parametrize(
    "made",
    [
        html.page(HOSTILE),
        html.facts({HOSTILE: HOSTILE}),
        html.table([HOSTILE], [[HOSTILE]]),
        html.listing([HOSTILE]),
        html.curve(HOSTILE, [1.0, 2.0]),
    ],
)
def test_text_from_anywhere_is_only_text(made):
    assert "<script" not in made
    assert any(HOSTILE in word for word in Reader(made).words)


def test_numbers_are_short_and_the_absent_is_left_out():
    assert Reader(html.facts({"a": 12345.6789, "b": None, "c": 1234567, "d": True})).rows == [
        ["a", "12346"],
        ["c", "1,234,567"],
        ["d", "True"],
    ]


def test_a_curve_falls_by_the_same_for_every_halving():
    points = Reader(html.curve("loss", [8.0, 4.0, math.nan, 1.0])).points
    assert [x for x, _ in points] == [0.0, html.WIDTH / 3, html.WIDTH]
    heights = [y for _, y in points]
    assert heights == pytest.approx([0.0, html.HEIGHT / 3, html.HEIGHT], abs=0.1)
    assert "from 8 to 1" in html.curve("loss", [8.0, 4.0, math.nan, 1.0])


def test_a_long_curve_has_its_first_and_last_point_and_few_between():
    points = Reader(html.curve("loss", np.linspace(2.0, 1.0, 100_001))).points
    assert len(points) <= html.MOST_POINTS + 1
    assert (points[0], points[-1]) == ((0.0, 0.0), (html.WIDTH, html.HEIGHT))


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 0.0], [-1.0, 1.0], [math.nan, math.inf]])
def test_what_has_no_logarithm_has_no_curve(values):
    assert html.curve("loss", values) == ""


def plane():
    """A line to be fitted: data, an objective and a start."""
    x = jnp.linspace(-1, 1, 20)[:, None]
    return (x, 2 * x + 1), Objective(mlp.apply, losses.squared_error), mlp.init(jax.random.key(0), (1, 1))


def test_a_fit_shows_its_best_and_last_epochs():
    data, objective, params = plane()
    fit = training.fit(
        objective, optimisers.sgd(0.1), params, data, epochs=12, batch_size=5, key=jax.random.key(1), progress=False,
        validation=data,
    )  # fmt: skip
    shown = Reader(fit._repr_html_())
    assert shown.words[0] == "Fit of 12 epochs"
    assert ["ended", fit.stop] in shown.rows
    head = next(row for row in shown.rows if row[0] == "epoch")
    last = dict(zip(head, shown.rows[-1], strict=True))
    assert last["epoch"] == "12"
    assert float(last["validation_loss"]) == pytest.approx(fit.history.validation_loss[-1], rel=1e-4)
    assert len(shown.points) == 12


def test_the_history_is_a_frame_of_pandas():
    data, objective, params = plane()
    fit = training.fit(
        objective, optimisers.sgd(0.1), params, data, epochs=3, batch_size=5, key=jax.random.key(1), progress=False
    )
    frame = fit.history.frame()
    assert frame.index.tolist() == [1, 2, 3]
    assert "validation_loss" not in frame
    np.testing.assert_array_equal(frame["loss"], fit.history.loss)


def test_a_solution_shows_each_of_its_starts():
    data, objective, params = plane()
    solve = lambda params: training.minimise(objective, params, data, optimisers.sgd(0.1), max_steps=20)
    one = solve(params)
    assert ["ended", one.stop] in Reader(one._repr_html_()).rows
    starts = jax.vmap(lambda key: mlp.init(key, (1, 1)))(jax.random.split(jax.random.key(2), 3))
    rows = Reader(jax.vmap(solve)(starts)._repr_html_()).rows
    assert [row[0] for row in rows] == ["start", "0", "1", "2"]


def model(**config):
    params = mlp.init(jax.random.key(0), (2, 3, 2))
    table = {"<b>": np.arange(20.0) ** 2, "y": ["no", "yes"] * 10, "b": np.tile([0.5, 1.5, 2.5, 4.0], 5)}
    fitted = preprocessing.fit(table, "y")
    config = {"sizes": [2, 3, 2], "activation": "tanh", "problem": "classes", **config}
    return training.Model(params, config, fitted)


def test_a_model_shows_its_layers_and_columns():
    shown = Reader(model()._repr_html_())
    assert shown.words[0] == "Model 2-3-2, 17 parameters"
    assert ["predicts", "y (classes)"] in shown.rows
    assert ["from", "<b>, b"] in shown.rows
    assert shown.rows[-2:] == [["1", "tanh", "2", "3", "9"], ["2", "none", "3", "2", "8"]]


def test_an_ensemble_shows_the_shares_of_its_networks():
    whole = training.Ensemble((model(), model(activation="relu")), (1, 3), model().preprocessing)
    rows = Reader(whole._repr_html_()).rows
    assert rows[1:] == [["1", "2-3-2", "0.2500"], ["2", "2-3-2", "0.7500"]]


def test_a_table_shows_its_first_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,<b>\n" + "".join(f"{i},word {i}\n" for i in range(12)), encoding="utf-8")
    shown = Reader(data.read_table(path)._repr_html_())
    assert shown.words[0] == "Table of 12 rows, 2 columns"
    assert shown.rows[0] == ["a", "<b>"]
    assert shown.rows[1:] == [[str(i), f"word {i}"] for i in range(10)]


def test_a_certificate_and_a_table_show_their_verdicts():
    certificate = verify.certify(lambda x, batch: jnp.sum(x**2), jnp.zeros(2), None)
    assert Reader(certificate._repr_html_()).words[0].startswith("minimum: ")
    row = verify.Row("mine", "rule", "reference", "mapping", 3, 0.5, "≤ 1", "holds")
    failed = verify.Row("mine", "other", "reference", "mapping", 3, 2.0, "≤ 1", "FAILED", "it is more")
    shown = Reader(verify.Table((row, failed))._repr_html_())
    assert shown.words[0] == "1 holds, 1 FAILED"
    assert [cells[1] for cells in shown.rows if cells[0] == "mine"] == ["other", "rule"]
