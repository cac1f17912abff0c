"""`train_many`: what each job gives is `network.train` of it alone, whatever it is trained with."""

import signal

import jax
import numpy as np
import pytest

from jaxnn import experiments
from jaxnn.experiments import Job, train_many
from jaxnn.experiments.network import train
from jaxnn.experiments.recipe import complete

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
LABELS = np.where(X[:, 0] + 0.5 * RNG.normal(size=60) > 0.4, "yes", "no")
WEIGHT = RNG.uniform(0.2, 3.0, 60)
FOLDS = experiments.folded(experiments.source((X, LABELS, WEIGHT)), 3)
NUMBERS = experiments.folded(experiments.source((X, X[:, 0] ** 2)), 3)


def job(rows, seed, **choices):
    choices = {"hidden": (4,), "epochs": 3, **choices}
    return Job(rows, complete(choices, rows=len(rows.split.train), problem=rows.problem), seed)


def adamw(rows, seed, **choices):
    return job(rows, seed, **{"batch_size": 16, **choices})


def check_alike(many, alone):
    """Float32, and a chunk's matrix products round otherwise than one network's."""
    for a, b in zip(*map(jax.tree.leaves, (many.model.params, alone.model.params)), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)
    assert many.fit.best_epoch == alone.fit.best_epoch
    assert (many.fit.reason, many.fit.stop) == (alone.fit.reason, alone.fit.stop)
    assert many.model.config == alone.model.config
    assert many.model.preprocessing is alone.model.preprocessing
    for name in ("loss", "validation_loss", "learning_rate"):
        one, other = getattr(many.fit.history, name), getattr(alone.fit.history, name)
        assert (one is None) == (other is None)
        if other is not None:
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    assert many.fit.history.metrics.keys() == alone.fit.history.metrics.keys()


MIXED = [
    adamw(FOLDS[0], 0),
    adamw(FOLDS[1], 1, hidden=(3, 3), batch_size=40, dropout=0.3),
    job(FOLDS[2], 2, optimiser="lbfgs"),
    adamw(FOLDS[1], 3, learning_rate=0.03, weight_decay=0.1, epochs=4),
    adamw(FOLDS[2], 4, hidden=(3, 3), batch_size=40, dropout=0.1, epochs=2),
    adamw(FOLDS[2], 5, epochs=2),
    job(FOLDS[0], 6, optimiser="lbfgs", epochs=2),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        (MIXED[:2], {"metric": "loss", "class_weight": "balanced", "class_weight_on_validation": False}),
        (MIXED, {"metric": "accuracy", "class_weight": {0: 2.0}}),
    ],
    ids=["balanced", "accuracy"],
)
def test_each_job_gives_what_it_gives_alone(jobs, words):
    """Two shapes, two batch sizes, a method, dropout or none, other epochs, three folds, weights."""
    told = []
    results = train_many(jobs, finished=lambda number, result: told.append((number, result)), **words)
    assert len(results) == len(jobs)
    for each, result in zip(jobs, results, strict=True):
        check_alike(result, train(each.rows, each.recipe, seed=each.seed, progress=False, **words))
    assert sorted(number for number, _ in told) == list(range(len(jobs)))
    for number, result in told:
        assert result.fit is results[number].fit


@pytest.mark.slow
def test_rows_without_validation_and_numbers():
    """A part with fewer training rows than another, and one without validation rows, among jobs of one list."""
    short = experiments.folded(experiments.source((X, X[:, 0] ** 2)), [(range(30), range(40, 60))])[0]
    whole = short._replace(split=short.split._replace(validation=np.arange(0)))
    jobs = [adamw(NUMBERS[0], 0), adamw(whole, 1, patience=0), adamw(short, 2)]
    results = train_many(jobs)
    for each, result in zip(jobs, results, strict=True):
        check_alike(result, train(each.rows, each.recipe, seed=each.seed, progress=False))
    assert [each.fit.history.validation_loss is not None for each in results] == [True, False, True]


def test_balanced_weights_count_training_rows_only():
    """As `network.train` does; here the rows that are held out have other shares of the classes."""
    yes = np.flatnonzero(LABELS == "yes")
    train_rows = np.concatenate([yes[:8], np.flatnonzero(LABELS == "no")[:24]])
    held = np.setdiff1d(np.arange(60), train_rows)
    rows = experiments.folded(experiments.source((X, LABELS)), [(train_rows, held)])[0]
    one = adamw(rows, 0)
    words = {"metric": "loss", "class_weight": "balanced"}
    (many,) = train_many([one], **words)
    check_alike(many, train(rows, one.recipe, seed=0, progress=False, **words))


def test_jobs_that_are_not_started_have_a_result_too():
    jobs = [adamw(FOLDS[0], 0), adamw(FOLDS[1], 1, batch_size=40)]
    first, second = train_many(jobs, metric="loss", enough=lambda: True)
    assert (first.fit.reason, len(first.fit.history.loss)) == ("epochs", 3)
    assert (second.fit.reason, second.fit.stop) == ("hook", "a hook ended the run after 0 epochs")
    assert second.fit.interrupted is None


@pytest.mark.slow
def test_a_hook_is_told_the_numbers_of_jobs():
    jobs = [
        adamw(FOLDS[0], 0),
        adamw(FOLDS[1], 1, batch_size=40),
        adamw(FOLDS[2], 2),
        adamw(FOLDS[2], 3, batch_size=40),
    ]
    seen = []

    def hook(scores):
        seen.append({number: len(own) for number, own in scores.items()})
        return [number for number in scores if number in (2, 3)]

    results = train_many(jobs, metric="loss", hook=hook)
    assert [set(each) for each in seen] == [{0, 2}, {0}, {1, 3}, {1}]
    assert [len(each.fit.history.loss) for each in results] == [3, 3, 1, 1]
    assert [each.fit.reason for each in results] == ["epochs", "epochs", "hook", "hook"]


@pytest.mark.slow
def test_a_hook_that_ends_a_stranger_is_refused():
    jobs = [adamw(FOLDS[0], 0), adamw(FOLDS[1], 1, batch_size=40), adamw(FOLDS[2], 2)]
    with pytest.raises(ValueError, match=r"hook returned job 1, which is not running; those that are: 0, 2\."):
        train_many(jobs, metric="loss", hook=lambda scores: [1])


def test_a_signal_leaves_a_result_in_the_place_of_each_job(in_the_foreground):
    """The first form is jobs 0 and 2; that of job 1 has not started."""
    jobs = [adamw(FOLDS[0], 0), adamw(FOLDS[1], 1, batch_size=40), adamw(FOLDS[2], 2)]

    def hook(scores):
        signal.raise_signal(signal.SIGINT)
        return []

    results = train_many(jobs, metric="loss", hook=hook)
    assert [len(each.fit.history.loss) for each in results] == [1, 0, 1]
    assert {each.fit.interrupted for each in results} == {"SIGINT"}
    assert {each.fit.reason for each in results} == {"interrupted"}
    assert results[1].fit.stop == "interrupted by SIGINT after 0 epochs"
    assert [each.model.preprocessing for each in results] == [each.rows.preprocessing for each in jobs]
    assert results[1].fit.history.metrics.keys() == results[0].fit.history.metrics.keys()
    assert np.isfinite(results[1].model._replace(preprocessing=None).outputs(FOLDS[1].x)).all()


def test_no_jobs_give_no_results():
    assert train_many([], metric="loss") == []


def test_a_metric_that_a_part_cannot_have_is_refused():
    one_class = np.flatnonzero(LABELS == "no")
    pairs = [
        (FOLDS[0].split.train, FOLDS[0].split.validation),
        (np.setdiff1d(np.arange(60), one_class[:9]), one_class[:9]),
    ]
    jobs = [adamw(rows, 0) for rows in experiments.folded(experiments.source((X, LABELS)), pairs)]
    with pytest.raises(ValueError, match=r"roc_auc needs validation rows .* 'yes' has none: .* on more rows"):
        train_many(jobs, metric="roc_auc")


@pytest.mark.slow
def test_each_program_has_its_own_checkpoints(tmp_path):
    jobs = [adamw(FOLDS[0], 0), adamw(FOLDS[0], 0, hidden=(3,))]
    first = train_many(jobs, checkpoint=tmp_path / "runs")
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["program_1", "program_2"]
    told = []
    resumed = train_many(jobs, checkpoint=tmp_path / "runs", resume=True, hook=lambda scores: told.append(scores) or ())
    assert told == []  # no epoch was left to train
    for one, other in zip(first, resumed, strict=True):
        for a, b in zip(*map(jax.tree.leaves, (one.fit.params, other.fit.params)), strict=True):
            np.testing.assert_array_equal(a, b)
