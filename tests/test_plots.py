import subprocess
import sys
import threading
import warnings
from itertools import pairwise
from types import SimpleNamespace

import matplotlib
import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy.optimize import minimize
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import confusion_matrix, r2_score, root_mean_squared_error
from sklearn.neural_network import MLPClassifier

from jaxnn import plots
from jaxnn.plots import style
from jaxnn.plots.curves import spread
from jaxnn.plots.tiles import best_columns

GAP = 0.13  # between labels, as a share of the height


@pytest.fixture(scope="module")
def digits():
    """A network half trained, so that it still makes mistakes."""
    images, labels = load_digits(return_X_y=True)
    images = images / 16
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network = MLPClassifier((12,), max_iter=12, random_state=0, solver="adam")
        network.fit(images[:600], labels[:600])
    return {
        "loss": np.array(network.loss_curve_),
        "weights": network.coefs_[0],
        "images": images[600:900].reshape(-1, 8, 8),
        "labels": labels[600:900],
        "predictions": network.predict_proba(images[600:900]),
    }


def all_axes(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def titles(figure):
    return [axes.get_title(loc="left") for axes in all_axes(figure)]


def line(axes, label):
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return found


def words(axes):
    return [text.get_text() for text in axes.texts]


# Curves


def test_learning_curves_draw_every_array_at_its_epochs():
    rng = np.random.default_rng(0)
    loss, held_out, rate, norm, accuracy = rng.uniform(1, 2, (5, 9))
    figure = plots.learning_curves(
        loss=loss,
        validation_loss=held_out,
        learning_rate=rate,
        gradient_norm=norm,
        metrics={"top_two_accuracy": accuracy, "validation_top_two_accuracy": accuracy / 2},
    )
    assert isinstance(figure, Figure)
    assert titles(figure) == ["Loss", "Top two accuracy", "Gradient norm", "Learning rate"]
    drawn = [
        (0, "training", loss),
        (0, "validation", held_out),
        (1, "training", accuracy),
        (1, "validation", accuracy / 2),
        (2, "training", norm),
        (3, "training", rate),
    ]
    for panel, label, values in drawn:
        curve = line(all_axes(figure)[panel], label)
        np.testing.assert_array_equal(curve.get_xdata(), np.arange(1, 10))
        np.testing.assert_array_equal(curve.get_ydata(), values)
    assert {"training", "validation"} <= set(words(all_axes(figure)[0]))


@pytest.mark.parametrize(
    ("history", "epoch", "value"),
    [
        ({"loss": [3.0, 2.0, 1.0]}, 3, 1.0),
        ({"loss": [3.0, 2.0, 1.0], "validation_loss": [3.0, 2.5, 2.7]}, 2, 2.5),
        ({"loss": [3.0, 2.0, np.nan, np.inf]}, 2, 2.0),
        ({"loss": [3.0, 2.0, 1.0], "best_epoch": 1}, 1, 3.0),
        ({"loss": [0.5]}, 1, 0.5),
    ],
)
def test_best_epoch_is_marked(history, epoch, value):
    axes = all_axes(plots.learning_curves(**history))[0]
    ring = line(axes, "best epoch")
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (epoch, value)
    assert f"best: epoch {epoch}" in words(axes)


def test_a_run_that_diverged_at_once_has_no_best_epoch():
    axes = all_axes(plots.learning_curves(loss=[np.nan, np.inf]))[0]
    assert "best epoch" not in [line.get_label() for line in axes.lines]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (np.geomspace(1, 1e-3, 20), "log"),  # a loss that falls
        ([1.0] * 9 + [1e-8], "log"),  # and one that falls at the end
        ([0.1] * 9 + [1e6], "log"),  # a loss that explodes
        (1 - 0.9 * np.geomspace(1, 1e-3, 20), "linear"),  # an accuracy from 0.1 to 1
        ([3.0, 2.0, 1.0], "linear"),
        ([1.0, 1e-4, 0.0], "linear"),  # no logarithm of zero
        ([1.0, 1e-4, -1.0], "linear"),
    ],
)
def test_axis_is_logarithmic_where_the_range_asks_for_it(values, scale):
    assert all_axes(plots.learning_curves(loss=values))[0].get_yscale() == scale


def test_spread_keeps_order_and_gap_and_moves_as_little_as_it_must():
    rng = np.random.default_rng(1)
    for count in (1, 2, 5, 8):
        wanted = rng.uniform(0, 1, count)
        got = spread(wanted, GAP)
        order = np.argsort(wanted)
        rules = [{"type": "ineq", "fun": lambda p, i=i, j=j: p[j] - p[i] - GAP} for i, j in pairwise(order)]
        least = minimize(lambda p, w=wanted: np.sum((p - w) ** 2), wanted, constraints=rules)
        assert (np.diff(got[order]) >= GAP - 1e-12).all()
        np.testing.assert_allclose(got, least.x, atol=1e-5)  # the witness stops at about 1e-6


# Learning rates


def range_test(**changed):
    rate = np.geomspace(1e-5, 1, 60)
    loss = 2 - np.tanh(np.linspace(-3, 3, 60))
    return SimpleNamespace(
        **{"learning_rate": rate, "loss": loss + 0.1, "smoothed": loss, "suggestion": 1e-2, "diverged": 1.2} | changed
    )


def test_learning_rates_draw_the_test_and_mark_what_it_found():
    found = range_test()
    (axes,) = plots.learning_rates(found, default=3e-3, title="digits").axes
    assert axes.get_title(loc="left") == "digits"
    assert axes.get_xscale() == "log"
    for label, values in (("loss", found.loss), ("smoothed", found.smoothed)):
        np.testing.assert_array_equal(line(axes, label).get_xdata(), found.learning_rate)
        np.testing.assert_array_equal(line(axes, label).get_ydata(), values)
    ring = line(axes, "suggestion")
    expected = np.interp(np.log(1e-2), np.log(found.learning_rate), found.smoothed)
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (1e-2, pytest.approx(expected))
    assert set(words(axes)) == {"suggestion: 0.01", "diverges at 1.2", "default 0.003"}
    (shaded,) = [patch for patch in axes.patches if patch.get_label() == "diverged"]
    assert shaded.get_x() == 1.2
    assert axes.get_xlim()[1] > 1.2


def test_learning_rates_without_suggestion_or_divergence():
    (axes,) = plots.learning_rates(range_test(suggestion=np.nan, diverged=np.nan), theme="dark").axes
    assert words(axes) == []
    assert axes.patches[:] == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"loss": [1.0]}, "same number of rows"), ({"smoothed": []}, "non-empty"), ({"loss": "high"}, "array of numbers")],
)
def test_learning_rates_that_do_not_fit_are_refused(changed, told):
    with pytest.raises(ValueError, match=told):
        plots.learning_rates(range_test(**changed))


# Weights


def test_first_layer_of_images_shows_units_strongest_first_on_one_scale(digits):
    weights = digits["weights"]
    axes = all_axes(plots.first_layer(weights, image_shape=(8, 8), most=5))[0]
    strongest = sorted(range(12), key=lambda unit: -np.sum(weights[:, unit] ** 2))[:5]
    assert len(axes.images) == 5
    for image, unit in zip(axes.images, strongest, strict=True):
        np.testing.assert_array_equal(image.get_array(), weights[:, unit].reshape(8, 8))
        assert image.get_clim() == (-np.abs(weights).max(), np.abs(weights).max())
    assert "5 of 12" in axes.get_title(loc="left")


def test_images_are_upright_and_do_not_overlap(digits):
    axes = all_axes(plots.first_layer(digits["weights"], image_shape=(8, 8)))[0]
    boxes = [image.get_extent() for image in axes.images]  # left, right, bottom, top
    assert axes.yaxis_inverted()
    assert all(bottom > top for _, _, bottom, top in boxes)
    for i, (left, right, bottom, top) in enumerate(boxes):
        for other_left, other_right, other_bottom, other_top in boxes[:i]:
            assert right < other_left or other_right < left or bottom < other_top or other_bottom < top


def test_first_layer_of_a_table_ranks_its_inputs():
    weights = np.array([[0.1, 0.1], [3.0, -4.0], [0.0, 1.0]])
    figure = plots.first_layer(weights, input_names=["sex", "age", "smoker"])
    bars, heat = all_axes(figure)
    assert [label.get_text() for label in bars.get_yticklabels()] == ["age", "smoker", "sex"]
    np.testing.assert_allclose([bar.get_width() for bar in bars.patches], [5, 1, np.sqrt(0.02)])
    np.testing.assert_array_equal(heat.images[0].get_array(), weights[[1, 2, 0]])
    assert bars.yaxis_inverted()  # the first row is on top


@pytest.mark.parametrize(
    ("box", "tile", "columns"),
    [
        ((100.0, 100.0), (1.0, 1.0), 3),
        ((900.0, 1.0), (1.0, 1.0), 9),
        ((1.0, 900.0), (1.0, 1.0), 1),
        ((90.0, 45.0), (1.0, 1.0), 5),
        ((90.0, 90.0), (3.0, 1.0), 2),
    ],
)
def test_tiles_fill_their_box(box, tile, columns):
    assert best_columns(9, *box, tile) == columns


# Predictions


def test_confusion_writes_each_count_in_its_cell():
    matrix = np.array([[50, 0, 0], [0, 45, 5], [1, 3, 46]])
    axes = all_axes(plots.confusion(matrix, ["a", "b", "c"]))[0]
    written = np.zeros((3, 3), int)
    for text in axes.texts:
        col, row = text.get_position()
        written[row, col] = text.get_text()
    np.testing.assert_array_equal(written, matrix)
    assert axes.get_title(loc="left") == "141 of 150 correct (94.0 %)"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "c"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    depth = np.asarray(axes.images[0].get_array())
    assert (np.sign(depth) == np.sign(matrix) * (2 * np.eye(3) - 1)).all()  # wrong is the other hue


def test_confusion_of_a_class_without_examples():
    depth = all_axes(plots.confusion([[2, 1], [0, 0]]))[0].images[0].get_array()
    np.testing.assert_allclose(depth, [[np.sqrt(2 / 3), -np.sqrt(1 / 3)], [0, 0]])


def test_regression_shows_the_pairs_and_the_errors_of_scikit_learn():
    rng = np.random.default_rng(2)
    targets = rng.normal(size=400)
    predictions = targets + rng.normal(scale=0.3, size=400)
    scatter, histogram = all_axes(plots.regression(targets, predictions[:, None], name="in mm"))
    drawn = scatter.collections[0].get_offsets()
    np.testing.assert_array_equal(drawn, np.column_stack([targets, predictions]))
    error, fit = root_mean_squared_error(targets, predictions), r2_score(targets, predictions)
    assert scatter.get_title(loc="left") == f"RMSE {error:.3g}, R² {fit:.3f}"
    assert (scatter.get_xlabel(), scatter.get_ylabel()) == ("measured in mm", "predicted in mm")
    assert scatter.get_xlim() == scatter.get_ylim()
    assert sum(bar.get_height() for bar in histogram.patches) == 400
    above = sum(bar.get_height() for bar in histogram.patches if bar.get_x() >= 0)
    assert above <= (predictions > targets).sum()


def test_regression_leaves_out_what_is_not_finite_and_says_so():
    scatter, _ = all_axes(plots.regression([1, 2, np.nan, 3], [1, np.inf, 2, 4]))
    np.testing.assert_array_equal(scatter.collections[0].get_offsets(), [[1, 1], [3, 4]])
    assert words(scatter) == ["2 of 4 not finite, left out"]


def test_regression_of_constant_targets_has_no_r2():
    scatter, _ = all_axes(plots.regression([2.0, 2.0], [2.0, 2.0]))
    assert scatter.get_title(loc="left") == "RMSE 0"


def test_examples_are_the_most_confident_mistakes():
    images = np.arange(4 * 6, dtype=float).reshape(4, 2, 3)
    labels = [0, 1, 1, 0]
    predictions = [[0.3, 0.7], [0.1, 0.9], [0.8, 0.2], [0.05, 0.95]]
    axes = all_axes(plots.examples(images, labels, predictions, most=2))[0]
    assert axes.get_title(loc="left") == "3 of 4 wrong; the 2 most confident"
    for image, row in zip(axes.images, [3, 2], strict=True):
        np.testing.assert_array_equal(image.get_array(), images[row])
    assert words(axes) == ["true: 0\nsaid: 1, 95 %", "true: 1\nsaid: 0, 80 %"]


def test_examples_from_class_numbers_keep_their_order():
    axes = all_axes(plots.examples(np.zeros((3, 2, 2)), [0, 1, 2], [1, 1, 0], class_names=["cat", "dog", "cow"]))[0]
    assert words(axes) == ["true: cat\nsaid: dog", "true: cow\nsaid: cat"]


def test_examples_without_a_mistake_say_so():
    axes = all_axes(plots.examples(np.zeros((2, 2, 2)), [0, 1], [0, 1]))[0]
    assert words(axes) == ["No mistake among 2 examples"]


@pytest.mark.parametrize("form", ["scores", "classes"])
def test_decision_boundary_lies_where_the_classifier_puts_it(form):
    def predict(points):
        second = points[:, 0] + points[:, 1] > 1
        scores = np.column_stack([np.zeros(len(points)), points.sum(axis=1) - 1])
        return scores if form == "scores" else second.astype(int)

    x = np.random.default_rng(3).uniform(0, 1, (60, 2))
    y = predict(x) if form == "classes" else predict(x).argmax(axis=1)
    figure = plots.decision_boundary(predict, x, y, class_names=["low", "high"], resolution=101)
    axes = all_axes(figure)[0]
    boundary = np.concatenate(
        [
            path.vertices
            for contour in axes.collections
            if type(contour).__name__ == "QuadContourSet" and not contour.filled
            for path in contour.get_paths()
        ]
    )
    # Class numbers say where the boundary is to one cell of the grid; scores, to rounding.
    cell = 1.24 / 100
    np.testing.assert_allclose(boundary.sum(axis=1), 1, atol=1e-9 if form == "scores" else cell)
    for name, label in (("low", 0), ("high", 1)):
        (drawn,) = [points for points in axes.collections if points.get_label() == name]
        np.testing.assert_array_equal(drawn.get_offsets(), x[y == label])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["low", "high"]


# Composed pictures


def test_demo_holds_curves_baselines_weights_and_mistakes(digits, tmp_path):
    accuracy = np.linspace(0.3, 0.9, len(digits["loss"]))
    figure = plots.demo(
        validation_loss=digits["loss"] * 1.1,
        validation_accuracy=accuracy,
        test_accuracy={"this network": 0.91, "logistic regression": 0.93},
        title="Digits",
        **digits,
    )
    loss, measure, weights, mistakes = all_axes(figure)
    np.testing.assert_array_equal(line(loss, "training").get_ydata(), digits["loss"])
    np.testing.assert_array_equal(line(measure, "validation").get_ydata(), accuracy)
    assert set(line(measure, "logistic regression").get_ydata()) == {0.93}
    assert "logistic regression 0.93" in words(measure)
    assert len(weights.images) == 12
    wrong = (digits["predictions"].argmax(axis=1) != digits["labels"]).sum()
    assert mistakes.get_title(loc="left").startswith(f"{wrong} of 300 wrong")
    assert figure.get_suptitle() == "Digits"
    pixels = matplotlib.image.imread(plots.save(figure, tmp_path / "demo.png"))
    assert pixels.shape[:2] == (1125, 1999)


def test_training_report_for_classes(digits):
    matrix = confusion_matrix(digits["labels"], digits["predictions"].argmax(axis=1))
    figure = plots.training_report(loss=digits["loss"], metrics={"accuracy": digits["loss"]}, matrix=matrix)
    assert titles(figure)[:2] == ["Loss", "Accuracy"]
    assert len(all_axes(figure)[2].texts) == (matrix > 0).sum()


def test_training_report_for_numbers():
    figure = plots.training_report(loss=[2, 1], targets=[1, 2, 3], predictions=[1, 2, 4])
    assert titles(figure) == ["Loss", "Residuals", "RMSE 0.577, R² 0.500"]


# Looks


@pytest.mark.parametrize("name", style.THEMES)
def test_colours_stand_out_from_their_background(name):
    def luminance(colour):
        rgb = np.array(to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    def contrast(one, other):
        light, dark = sorted((luminance(one), luminance(other)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    theme = style.THEMES[name]
    # WCAG 2: 7 for text at its strictest, 3 for marks and for large bold text.
    assert contrast(theme.ink, theme.background) >= 7
    assert contrast(theme.muted, theme.background) >= 4.5
    assert all(contrast(colour, theme.background) >= 3 for colour in theme.series[:3])
    figure = plots.learning_curves(loss=[1.0, 0.5], theme=name)
    assert to_rgb(figure.get_facecolor()[:3]) == to_rgb(theme.background)
    for colour in np.random.default_rng(4).uniform(size=(50, 3)):
        chosen, other = style.readable_on(colour), {"#000000", "#FFFFFF"}
        (other,) = other - {chosen}
        assert contrast(colour, chosen) >= contrast(colour, other) - 0.02  # 0.179 is rounded


def test_zero_weight_is_the_background():
    for theme in style.THEMES.values():
        np.testing.assert_allclose(style.diverging(theme)(0.5)[:3], to_rgb(theme.background), atol=0.01)


# Files


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".SVG", b"<?xml"), (".pdf", b"%PDF")])
def test_save_writes_the_format_of_the_suffix(tmp_path, suffix, magic):
    path = tmp_path / f"curves{suffix}"
    assert plots.save(plots.learning_curves(loss=[1.0, 0.5]), path) == path
    assert path.read_bytes().startswith(magic)
    assert path.stat().st_size > 2000
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    figure, path = plots.learning_curves(loss=[1.0]), tmp_path / "picture.png"
    path.write_bytes(b"before")

    def breaks(file, **_):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", breaks)
    with pytest.raises(OSError, match="disk full"):
        plots.save(figure, path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_save_says_what_it_can_write(tmp_path):
    figure = plots.learning_curves(loss=[1.0])
    with pytest.raises(ValueError, match=r"must end in one of \.pdf, \.png, \.svg, got '.*picture\.jpg'"):
        plots.save(figure, tmp_path / "picture.jpg")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        plots.save(figure, tmp_path / "nowhere" / "picture.png")


def test_threads_draw_the_same_picture_and_leave_no_trace(tmp_path):
    before = dict(matplotlib.rcParams)

    def draw(index):
        figure = plots.learning_curves(loss=[1.0, 0.5, 0.4], theme="dark")
        plots.save(figure, tmp_path / f"{index}.png")

    threads = [threading.Thread(target=draw, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({file.read_bytes() for file in tmp_path.iterdir()}) == 1
    assert len(list(tmp_path.iterdir())) == 4
    assert dict(matplotlib.rcParams) == before


def test_importing_loads_no_matplotlib_and_drawing_no_pyplot():
    code = (
        "import sys; from jaxnn import plots; assert 'matplotlib' not in sys.modules; "
        "plots.learning_curves(loss=[1.0, 0.5]); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# Errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.learning_curves(loss=[]), "loss must be a non-empty array"),
        (lambda: plots.learning_curves(loss=["a"]), "loss must be an array of numbers"),
        (
            lambda: plots.learning_curves(loss=[1, 2], validation_loss=[1]),
            "loss 2, validation_loss 1",
        ),
        (
            lambda: plots.learning_curves(loss=[1, 2], metrics={"r2": [1]}),
            r"loss 2, metrics\['r2'\] 1",
        ),
        (lambda: plots.learning_curves(loss=[1, 2], best_epoch=3), r"best_epoch must be in 1\.\.2"),
        (lambda: plots.learning_curves(loss=[1], theme="drak"), "Did you mean 'dark'"),
        (lambda: plots.first_layer(np.ones((6, 2)), image_shape=(2, 2)), "4 pixels.* 6 inputs"),
        (lambda: plots.first_layer(np.ones((2, 2)), input_names=["a"]), "2 names, got 1"),
        (lambda: plots.first_layer([[np.nan]]), "weights must be finite"),
        (lambda: plots.first_layer(np.ones((2, 2)), most=0), "most must be"),
        (lambda: plots.confusion([[1, 2]]), "must be square"),
        (lambda: plots.confusion([[1, -2], [0, 1]]), "must hold counts"),
        (lambda: plots.confusion([[0, 0], [0, 0]]), "must hold counts"),
        (lambda: plots.regression([1, 2], [1]), "targets 2, predictions 1"),
        (lambda: plots.regression(np.ones((2, 2)), [1, 2]), r"pass targets\[:, j\]"),
        (lambda: plots.regression([np.nan], [1]), "nothing to draw"),
        (lambda: plots.examples(np.ones((2, 4)), [0, 1], [0, 1]), "3 dimension"),
        (lambda: plots.examples(np.ones((1, 2, 2)), [2], [[0.5, 0.5]] * 2), "labels 1, predictions 2"),
        (lambda: plots.examples(np.ones((1, 2, 2)), [2], [0], class_names="ab"), "0 to 2, got 2 names"),
        (lambda: plots.examples(np.ones((1, 2, 2)), [1], [[np.nan, 1]]), "predictions must be finite"),
        (lambda: plots.examples(np.ones((1, 2, 2)), [0.5], [0]), "must be class numbers"),
        (lambda: plots.training_report(loss=[1]), "Give either"),
        (lambda: plots.training_report(loss=[1], matrix=[[1]], targets=[1]), "Give either"),
        (
            lambda: plots.decision_boundary(lambda p: p[:, 0] > 0, [[0, 1, 2]], [0]),
            r"two finite inputs.*\(1, 3\)",
        ),
        (
            lambda: plots.decision_boundary(lambda p: p[:3, 0], [[0, 1], [1, 0]], [0, 1]),
            "predict must return",
        ),
        (
            lambda: plots.decision_boundary(lambda p: p[:, :1], [[0, 1], [1, 0]], [0, 1]),
            r"return \[1 - p, p\]",
        ),
    ],
)
def test_bad_input_is_told_in_one_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
