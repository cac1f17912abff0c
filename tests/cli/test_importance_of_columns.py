"""`jaxnn importance`: the numbers of `experiments.permutation_importance`, in words and in a picture."""

import matplotlib.image
import pytest

from jaxnn import experiments, training


def test_prints_and_draws_what_was_measured(run, model, patients):
    result = run("importance", model, patients, "--repeats", "5", "--seed", "3", "--plot", "p.png")
    assert result.status == 0, result.err
    found = experiments.permutation_importance(training.load(model), str(patients), repeats=5, seed=3)
    lines = result.out.splitlines()
    assert "warning        these rows seem to include the 36 that the model was trained on" in result.out
    assert f"60 rows, log loss {found.score:.4f}" in " ".join(result.out.split())
    start = next(k for k, line in enumerate(lines) if line.startswith("column"))
    assert lines[start].split() == ["column", "log", "loss", "rises", "by", "±"]
    told = [line.split() for line in lines[start + 1 : start + 1 + len(found.columns)]]
    assert told == [
        [name, f"{worse:.4f}", f"{error:.4f}"]
        for name, worse, error in zip(found.columns, found.worse, found.error, strict=True)
    ]
    assert matplotlib.image.imread("p.png").shape[2] in (3, 4)


def test_scores_that_are_better_the_higher_fall(run, ensemble, patients):
    assert "accuracy falls by" in run("importance", ensemble, patients, "--metric", "accuracy", "--repeats", "2").out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--metric", "r2"), "Unknown metric 'r2'"),
        (("--metric", "r3"), "Did you mean 'r2'?"),
        (("--repeats", "1"), "expected a whole number"),
        (("--plot", "p.gif"), ".png, .svg"),
    ],
)
def test_what_cannot_be_measured_is_refused(refused, model, patients, options, told):
    assert told in refused("importance", model, patients, *options)


def test_rows_without_a_target_are_counted(run, model, patients, tmp_path):
    head, *rows = patients.read_text(encoding="utf-8").splitlines()
    gap = rows[0].rpartition(",")[0] + ","
    (tmp_path / "gap.csv").write_text("\n".join([head, gap, *rows[1:]]), encoding="utf-8")
    told = run("importance", model, "gap.csv", "--repeats", "2").out
    assert "59 rows" in told
    assert "1 row without a target left out" in told
