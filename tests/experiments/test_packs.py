"""Packs: which recipes their members have, which members are selected, and what `run` makes of them."""

import math

import numpy as np
import pytest

from jaxnn import experiments, metrics, training
from jaxnn.experiments import Job, Listener, packs, train_many
from jaxnn.experiments.recipe import complete

RNG = np.random.default_rng(3)
X = RNG.normal(size=(80, 3))
Y = X[:, 0] + 0.5 * X[:, 1] ** 2
LABELS = np.where(Y + 0.5 * RNG.normal(size=80) > 0.8, "yes", "no")
RECIPE = {"hidden": (4,), "epochs": 3, "batch_size": 16}
ROWS = experiments.folded(experiments.source((X, LABELS)), [(range(50), range(50, 80))])[0]
WHOLE = complete(RECIPE, rows=50, problem=ROWS.problem)


def quick(rows, recipe=RECIPE, **words):
    return experiments.run(rows, recipe, **{"seed": 2, "progress": False, "compare": False, "ensemble": 4, **words})


def test_the_first_recipe_is_the_given_one_and_the_others_stay_near_it():
    found = packs.recipes(WHOLE, 200, seed=0)
    assert len(found) == 200
    assert found[0] == WHOLE
    for name, factor in packs.FACTORS.items():
        powers = [math.log(getattr(each, name) / getattr(WHOLE, name), factor) for each in found[1:]]
        assert -1 <= min(powers) < -0.9
        assert 0.9 < max(powers) <= 1
        assert abs(np.mean(powers)) < 0.2
    assert {each._replace(learning_rate=0, weight_decay=0) for each in found} == {
        WHOLE._replace(learning_rate=0, weight_decay=0)
    }


def test_recipes_follow_from_the_seed():
    assert packs.recipes(WHOLE, 5, seed=1) == packs.recipes(WHOLE, 5, seed=1)
    assert packs.recipes(WHOLE, 5, seed=1)[1] != packs.recipes(WHOLE, 5, seed=2)[1]
    assert packs.recipes(WHOLE, 1, seed=1) == (WHOLE,)


def test_what_is_fixed_stays():
    found = packs.recipes(WHOLE, 5, seed=0, fixed=("learning_rate",))
    assert {each.learning_rate for each in found} == {WHOLE.learning_rate}
    assert len({each.weight_decay for each in found}) == 5
    assert set(packs.recipes(WHOLE, 5, seed=0, fixed=tuple(packs.FACTORS))) == {WHOLE}
    assert {each.weight_decay for each in packs.recipes(WHOLE._replace(weight_decay=0.0), 5, seed=0)} == {0.0}
    method = complete({"optimiser": "lbfgs"}, rows=50, problem=ROWS.problem)
    assert set(packs.recipes(method, 5, seed=0)) == {method}


@pytest.mark.slow
@pytest.mark.parametrize("target", [Y, LABELS], ids=["numbers", "classes"])
def test_a_member_that_goes_astray_harms_none_and_is_not_selected(target):
    rows = experiments.folded(experiments.source((X, target)), [(range(50), range(50, 80))])[0]
    rates = {1: 1e6, 3: 1e30}
    tame = WHOLE._replace(learning_rate=0.03, weight_decay=0.0, epochs=10)
    jobs = [Job(rows, tame._replace(learning_rate=rates.get(i, 0.03)), i) for i in range(4)]
    together = train_many(jobs, metric="loss")
    assert together[1].fit.best_epoch  # finite, and worse than a constant
    assert not together[3].fit.best_epoch
    alone = train_many([jobs[0], jobs[2]], metric="loss")
    for one, other in zip((together[0], together[2]), alone, strict=True):
        np.testing.assert_allclose(one.fit.history.loss, other.fit.history.loss, rtol=1e-5)
    assert packs.selection(rows, together).tolist() == [1, 0, 1, 0]
    assert packs.best_member(together, "loss") in (0, 2)
    assert packs.selection(rows, [together[1], together[3]]).sum() >= 1  # there must be one


@pytest.mark.slow
def test_the_best_quarter_is_selected():
    whole = WHOLE._replace(learning_rate=0.03, weight_decay=0.1, epochs=5)
    pack = packs.train_pack(ROWS, whole, 20, seed=0, progress=False)
    assert pack.recipes == packs.recipes(whole, 20, seed=0)
    held = ROWS.split.validation
    losses = np.array(
        [metrics.log_loss(ROWS.y[held], each.model.predict_probabilities(X[held])) for each in pack.trained]
    )
    best = np.argsort(losses)[:5].tolist()
    assert losses[best].max() < 0.6  # a constant has 0.66
    assert np.flatnonzero(pack.counts).tolist() == sorted(best)
    assert set(pack.counts.tolist()) == {0, 1}
    assert pack.best == int(np.argmin([each.fit.best_score for each in pack.trained])) == best[0]
    assert len(pack.model.models) == len(best)


@pytest.mark.slow
def test_class_weights_count_in_the_selection():
    """With all the weight on one class, a member that always says the other is worse than a constant."""
    trained = train_many([Job(ROWS, WHOLE, seed) for seed in (0, 1)], metric="loss")
    yes, no = ROWS.preprocessing.class_names.index("yes"), ROWS.preprocessing.class_names.index("no")

    def always(code, each):
        *hidden, last = each.model.params
        params = (*hidden, last._replace(w=0 * last.w, b=np.float32(3) * np.eye(2, dtype=np.float32)[code]))
        return each._replace(model=each.model._replace(params=params))

    two = [always(yes, trained[0]), always(no, trained[1])]
    assert packs.selection(ROWS, two, {yes: 1.0, no: 0.0}).tolist() == [1, 0]
    assert packs.selection(ROWS, two, {yes: 0.0, no: 1.0}).tolist() == [0, 1]


def test_without_validation_rows_all_members_count_alike():
    outcome = quick((X, LABELS), validation=0.0, test=0.0)
    assert outcome.pack.counts.tolist() == [1, 1, 1, 1]
    assert list(outcome.scores) == ["training"]
    assert list(outcome.best_member) == ["training, best member"]


@pytest.mark.by_default("classes")
@pytest.mark.parametrize("target", [Y, LABELS], ids=["numbers", "classes"])
def test_a_run_of_an_ensemble(target, tmp_path):
    outcome = quick((X, target))
    pack = outcome.pack
    assert len(pack.trained) == 4
    assert outcome.fit is pack.trained[pack.best].fit
    assert outcome.learnt
    assert list(outcome.scores) == ["validation", "test"]
    assert list(outcome.best_member) == ["validation, best member", "test, best member"]
    best = pack.trained[pack.best].model
    for part, scores in outcome.scores.items():
        rows = getattr(outcome.rows.split, part)
        alone = outcome.best_member[f"{part}, best member"]
        if "RMSE" in scores:
            assert scores["RMSE"] == pytest.approx(metrics.rmse(target[rows], outcome.model.predict(X[rows])), rel=1e-5)
            assert alone["RMSE"] == pytest.approx(metrics.rmse(target[rows], best.predict(X[rows])), rel=1e-5)
        else:
            assert scores["accuracy"] == np.mean(outcome.model.predict(X[rows]) == target[rows])
            assert alone["accuracy"] == np.mean(best.predict(X[rows]) == target[rows])
    training.save(tmp_path / "m.safetensors", outcome.model)
    loaded = training.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.outputs(X), outcome.outputs)
    assert loaded.about["ensemble"] == f"{(pack.counts > 0).sum()} of 4"


@pytest.mark.slow
def test_what_the_user_has_chosen_is_the_same_in_all_members():
    outcome = quick((X, Y), {**RECIPE, "learning_rate": 0.01})
    assert {each.learning_rate for each in outcome.pack.recipes} == {0.01}
    assert len({each.weight_decay for each in outcome.pack.recipes}) == 4
    assert len(set(quick((X, Y), outcome.recipe).pack.recipes)) == 1


@pytest.mark.slow
def test_a_run_of_an_ensemble_is_continued_from_its_checkpoint(tmp_path):
    first = quick((X, Y), checkpoint=tmp_path)
    again = quick((X, Y), checkpoint=tmp_path, resume=True)
    np.testing.assert_array_equal(again.outputs, first.outputs)
    assert again.scores == first.scores
    np.testing.assert_array_equal(again.history.seconds, first.history.seconds)  # not trained again


@pytest.mark.slow
def test_a_pack_of_which_all_diverge_is_an_outcome_without_scores():
    outcome = quick((X, Y), {**RECIPE, "learning_rate": 1e30})
    assert not outcome.learnt
    assert (outcome.scores, outcome.best_member, outcome.interrupted) == ({}, {}, None)


@pytest.mark.parametrize(
    "words", [{"history_file": "h"}, {"listener": Listener(epoch=print)}], ids=["file", "listener"]
)
def test_epochs_of_an_ensemble_cannot_be_followed(words):
    with pytest.raises(ValueError, match=r"--history follows the epochs of one network: .* leave out --ensemble"):
        quick((X, Y), **words)


def test_numbers_of_members_are_checked():
    with pytest.raises(ValueError, match="ensemble must be a whole number ≥ 0, got -1"):
        quick((X, Y), ensemble=-1)
    with pytest.raises(ValueError, match="members must be a whole number ≥ 1, got 0"):
        packs.train_pack(ROWS, WHOLE, 0, seed=0)
