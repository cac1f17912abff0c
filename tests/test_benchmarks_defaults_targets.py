"""The study of the defaults: targets that are positive, packs, and peers of other libraries."""

import sys
import types
from typing import ClassVar

import numpy as np
import pytest

from benchmarks import defaults, defaults_peers, defaults_targets
from benchmarks.defaults import Candidate, by_method, with_
from jaxnn import experiments, losses
from jaxnn.experiments.network import Trained
from jaxnn.experiments.rows import split_and_preprocess


def rows_of(y, *, seed=0):
    frame = {"x": np.linspace(-2, 2, len(y)), "y": y}
    return split_and_preprocess(experiments.source(frame, target="y"), validation=0.2, test=0.2, seed=seed)


@pytest.fixture(scope="module")
def skewed():
    """80 positive numbers with a long tail."""
    return rows_of(np.exp(np.random.default_rng(0).normal(3.0, 1.5, 80)))


def test_targets_are_again_in_their_own_units_with_zeros_that_are_zero():
    y = np.r_[np.zeros(5), np.linspace(1.0, 5e4, 45)]
    found = defaults_targets.in_own_units(rows_of(y))
    assert np.array_equal(found == 0, y == 0)
    np.testing.assert_allclose(found, y, rtol=1e-6, atol=0.02)


@pytest.mark.parametrize(("least", "suits"), [(0.5, (True, True)), (0.0, (False, True)), (-1.0, (False, False))])
def test_which_rows_the_candidates_are_for(least, suits):
    rows = rows_of(np.r_[np.full(50, least), np.arange(1.0, 51.0)])
    assert (defaults_targets.positive(rows), defaults_targets.not_negative(rows)) == suits


def test_the_candidates_are_not_for_classes():
    rows = split_and_preprocess(experiments.source("iris"), validation=0.2, test=0.2, seed=0)
    assert not defaults_targets.positive(rows)
    assert not defaults_targets.not_negative(rows)


def test_true_logarithms_give_the_true_target(skewed):
    z = defaults_targets.with_log_targets(skewed).y
    train = skewed.split.train
    assert (z[train].mean(), z[train].std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-5))
    for back in (defaults_targets.from_logarithms, defaults_targets.smeared):
        np.testing.assert_allclose(back(skewed, z), skewed.y, rtol=1e-4, atol=1e-4)


def test_without_inputs_logarithms_give_the_geometric_mean_and_smearing_and_poisson_the_mean(skewed):
    nothing, known = np.zeros_like(skewed.y), defaults_targets.in_own_units(skewed)[skewed.split.train]
    said = skewed.preprocessing.numbers(defaults_targets.from_logarithms(skewed, nothing))
    np.testing.assert_allclose(said, np.exp(np.log(known).mean()), rtol=1e-6)
    for back in (defaults_targets.smeared, defaults_targets.from_rates):
        np.testing.assert_allclose(skewed.preprocessing.numbers(back(skewed, nothing)), known.mean(), rtol=1e-6)


def test_bounded_predictions_stay_within_the_training_targets(skewed):
    known = skewed.y[skewed.split.train]
    far = np.r_[np.full((40, 1), -50.0), np.full((40, 1), 50.0)]
    said = defaults_targets.bounded(defaults_targets.from_rates)(skewed, far)
    assert np.array_equal(np.unique(said), [known.min(), known.max()])
    near = np.zeros_like(skewed.y)
    within = defaults_targets.bounded(defaults_targets.smeared)(skewed, near)
    assert np.array_equal(within, defaults_targets.smeared(skewed, near))


def test_rows_held_out_may_be_0_where_no_training_row_is():
    y = np.arange(1.0, 61.0)
    held_out = rows_of(y).split.validation
    y[held_out[0]] = 0.0  # the split depends on the number of rows alone
    rows = rows_of(y)
    assert defaults_targets.positive(rows)
    z = defaults_targets.with_log_targets(rows).y
    assert z[held_out[0]] == z[rows.split.train].min()


def test_poisson_has_relative_targets_and_its_loss(skewed):
    relative = defaults_targets.with_relative_targets(skewed)
    assert relative.y[skewed.split.train].mean() == pytest.approx(1, abs=1e-5)
    recipe = experiments.Recipe((4,), ("relu",), "adamw", 3e-3, "constant", 2, 32, 0.0, 0.0, 1.0, 0)
    assert defaults_targets.with_poisson(relative, recipe, seed=0).objective.loss is losses.poisson


def test_an_exponential_is_found_exactly_and_scored_in_its_own_units(monkeypatch):
    """A linear model with a log link contains the truth, whose minimum L-BFGS finds: R² is 1 however skewed y is."""
    change = defaults.all_of(by_method("lbfgs", 0.0), with_(hidden=(), activation=()))
    names = ("log target", "log target, smearing", "Poisson")  # bounds would cut off the truth
    changed = {name: defaults.CANDIDATES[name]._replace(change=change) for name in names}
    monkeypatch.setattr(defaults, "CANDIDATES", {"default": Candidate(change), **changed})
    parts = {0: rows_of(np.exp(1.0 + 2.0 * np.linspace(-2, 2, 120)))}
    found = {each["name"]: each for each in defaults.networks(parts, ("default", *names))}
    assert found["default"]["score"] < 0.9
    spread = defaults_targets.in_own_units(parts[0]).std()
    for name in names:
        assert found[name]["score"] == pytest.approx(1, abs=1e-3)
        assert found[name]["validation"] * parts[0].preprocessing.target.scale < 0.05 * spread


def test_a_candidate_that_is_for_some_splits_only_is_left_out(skewed, monkeypatch):
    monkeypatch.setattr(defaults, "CANDIDATES", {"some": Candidate(suits=lambda rows: rows is skewed)})
    monkeypatch.setattr(defaults.experiments, "train_many", lambda jobs, **_: pytest.fail("trained"))
    assert defaults.networks({0: skewed, 1: rows_of(np.arange(1.0, 81.0))}, ["some"]) == []


def test_candidates_that_differ_in_what_they_say_alone_are_trained_once(monkeypatch, skewed):
    trained, whole = [], defaults.experiments.train_many

    def counted(jobs, **settings):
        trained.extend(jobs)
        return whole(jobs, **settings)

    monkeypatch.setattr(defaults.experiments, "train_many", counted)
    short = Candidate(with_(epochs=2, hidden=(4,)))
    doubled = short._replace(said=lambda rows, outputs: 2 * outputs)
    monkeypatch.setattr(defaults, "CANDIDATES", {"one": short, "other": doubled})
    both = {each["name"]: each for each in defaults.networks({0: skewed}, ["one", "other"])}
    assert len(trained) == 1
    assert both.keys() == {"one", "other"}
    assert both["one"]["validation"] != both["other"]["validation"]


def test_the_skewed_tables_come_first():
    def made(table, skewness, **tail):
        return {"table": table, "name": "Poisson", "shape": {"skewness": skewness, **tail}}

    measured = ("default", "Poisson")
    means = {name: {"a": 0.5, "b": 0.25} if name in measured else {} for name in defaults_targets.SHOWN}
    lines = defaults_targets.text([made("a", 0.5), made("b", 2.0, tail=3.04)], means)
    assert lines[2:4] == [
        "| b | 2.0 | 3.0 | 0.250 |  |  |  | 0.250 |  |",
        "| a | 0.5 |  | 0.500 |  |  |  | 0.500 |  |",
    ]
    assert defaults_targets.text([], means) == []


def test_skewness_is_that_of_scipy(skewed):
    stats = pytest.importorskip("scipy.stats")
    y = defaults_targets.in_own_units(skewed)
    shape = defaults_targets.shape(skewed)
    assert shape["skewness"] == pytest.approx(stats.skew(y))
    assert shape["tail"] == pytest.approx(np.quantile(y, 0.95) / np.median(y))


def test_a_pack_is_that_of_the_command_line(monkeypatch):
    monkeypatch.setattr(defaults, "CANDIDATES", {"pack": Candidate(members=5)})
    rng = np.random.default_rng(1)
    x = rng.normal(size=60)
    source = experiments.source({"x": x, "y": x + 0.3 * rng.normal(size=60)}, target="y")
    rows = split_and_preprocess(source, validation=0.2, test=0.2, seed=3)
    (found,) = defaults.networks({3: rows}, ["pack"])
    outcome = experiments.run(source, ensemble=5, seed=3, compare=False, progress=False)
    assert found["score"] == pytest.approx(outcome.scores["test"]["R²"], abs=1e-5)


def test_a_training_that_a_signal_ended_is_not_recorded(monkeypatch, skewed):
    def ended(jobs, **settings):
        fit = types.SimpleNamespace(interrupted="SIGTERM")
        return [Trained(fit, None) for _ in jobs]

    monkeypatch.setattr(defaults.experiments, "train_many", ended)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM ended the training"):
        defaults.networks({0: skewed}, ["default"])


class Peer:
    """Stands for RealMLP, and notes what it is given."""

    seen: ClassVar[dict] = {}

    def __init__(self, **options):
        Peer.seen = options

    def fit(self, x, y, x_validation, y_validation):
        Peer.seen |= {"train": (x, y), "validation": (x_validation, y_validation)}

    def predict(self, x):
        return x[:, 0]

    def predict_proba(self, x):
        return np.full((len(x), 3), 1 / 3)


def test_real_mlp_has_the_networks_rows(monkeypatch, skewed):
    peer = types.SimpleNamespace(RealMLP_TD_S_Regressor=Peer, RealMLP_TD_S_Classifier=Peer)
    monkeypatch.setitem(sys.modules, "pytabkit", peer)
    said = defaults_peers.outputs(skewed, 4, [defaults_peers.REAL_MLP])[defaults_peers.REAL_MLP]
    assert np.array_equal(said, skewed.x[:, :1])
    assert Peer.seen["random_state"] == 4
    assert "use_ls" not in Peer.seen
    for part in ("train", "validation"):
        rows = getattr(skewed.split, part)
        assert np.array_equal(Peer.seen[part][0], skewed.x[rows])
        assert np.array_equal(Peer.seen[part][1], skewed.y[rows, 0])
    classes = split_and_preprocess(experiments.source("iris"), validation=0.2, test=0.2, seed=0)
    said = defaults_peers.real_mlp(classes, 0)
    np.testing.assert_allclose(said, np.log(1 / 3))
    assert (Peer.seen["use_ls"], Peer.seen["val_metric_name"]) == (False, "cross_entropy")
    assert np.array_equal(Peer.seen["train"][1], classes.y[classes.split.train])


def test_a_peer_that_is_not_installed_is_left_out_and_said(monkeypatch, capsys):
    monkeypatch.setattr(defaults_peers.importlib.util, "find_spec", lambda name: None)
    assert defaults_peers.installed(defaults_peers.PEERS) == list(defaults_peers.PEERS[:-1])
    assert "RealMLP-TD-S is left out: pip install pytabkit" in capsys.readouterr().err
    assert defaults_peers.installed(["MLP"]) == ["MLP"]
    assert capsys.readouterr().err == ""
