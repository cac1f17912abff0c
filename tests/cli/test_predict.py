import csv
import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from jaxnn import data, preprocessing, training
from jaxnn.cli import predict
from jaxnn.problems import CLASSES
from tests.cli.conftest import FAST, as_csv, rows_of_patients


def read_csv(text):
    header, *rows = csv.reader(io.StringIO(text))
    return header, rows


def test_one_line_for_each_row_and_the_metrics_aside(run, model, patients):
    result = run("predict", model, patients)
    header, rows = read_csv(result.out)
    expected = training.load(model).predict(data.read_table(patients))
    assert header == ["prediction"]
    assert [row[0] for row in rows] == list(expected)
    right = np.mean(expected == np.array(rows_of_patients()["stroke"]))
    assert result.err.startswith(f"60 rows: accuracy {right:.4f}, ")


def test_probabilities_are_the_models_own(run, model, patients):
    assert run("predict", model, patients, "--probabilities", "--out", "p.csv").out == ""
    header, rows = read_csv(Path("p.csv").read_text(encoding="utf-8"))
    expected = training.load(model).predict_probabilities(data.read_table(patients))
    assert header == ["prediction", "probability of ill", "probability of well"]
    assert np.array_equal(np.array([row[1:] for row in rows], float), expected)


def test_an_ensemble_predicts_like_a_model(run, ensemble, patients):
    result = run("predict", ensemble, patients, "--probabilities")
    header, rows = read_csv(result.out)
    whole, table = training.load(ensemble), data.read_table(patients)
    each = [member.predict_probabilities(table) for member in whole.models]
    assert header == ["prediction", "probability of ill", "probability of well"]
    np.testing.assert_allclose(np.array([row[1:] for row in rows], float), (3 * each[0] + each[1]) / 4, rtol=1e-13)
    assert [row[0] for row in rows] == list(whole.predict(table))
    right = np.mean(whole.predict(table) == np.array(rows_of_patients()["stroke"]))
    assert result.err.startswith(f"60 rows: accuracy {right:.4f}, log loss ")


def test_a_table_without_the_target(run, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text(as_csv({name: values for name, values in rows_of_patients(5).items() if name != "stroke"}))
    result = run("predict", model, path)
    assert (result.status, result.err) == (0, "")
    assert len(result.out.splitlines()) == 6


def test_a_target_that_is_of_no_use_costs_the_metrics_only(run, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text(as_csv(rows_of_patients(5) | {"stroke": ["unknown"] * 5}))
    result = run("predict", model, path)
    assert result.status == 0
    assert len(result.out.splitlines()) == 6
    assert result.err.startswith("no metrics: ")


def test_values_that_training_did_not_see_are_told(run, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text(as_csv(rows_of_patients(5) | {"smoker": ["sometimes"] * 5}))
    assert "'smoker' has values not seen in training" in run("predict", model, path).err


def test_numbers_come_back_in_their_own_units(run, patients):
    run("train", patients, "--target", "cost", "--drop", "id", "stroke", "--out", "m", *FAST)
    _, rows = read_csv(run("predict", "m", patients).out)
    assert np.array_equal(np.array(rows, float)[:, 0], training.load("m").predict(data.read_table(patients)))


@pytest.mark.slow
def test_a_data_set_by_name(run):
    assert run("train", "iris", "--out", "iris.safetensors", *FAST).status == 0
    result = run("predict", "iris.safetensors", "iris")
    _, rows = read_csv(result.out)
    assert len(rows) == 150
    assert {row[0] for row in rows} <= {"setosa", "versicolor", "virginica"}
    assert result.err.startswith("150 rows: accuracy")


def test_predictions_do_not_destroy_the_table(refused, model, patients):
    assert "--out and TABLE are the same file" in refused("predict", model, patients, "--out", patients)


def test_predictions_do_not_destroy_the_model(refused, model, patients):
    before = model.read_bytes()
    assert "--out and MODEL are the same file" in refused("predict", model, patients, "--out", model)
    assert model.read_bytes() == before


def test_show_tells_what_the_model_is(run, model):
    result = run("show", model)
    assert result.status == 0
    for told in ("ill, well", "hidden 1", "relu", "pressure", "optimiser", "adamw", "test           accuracy"):
        assert told in result.out
    sizes = training.load(model).config["sizes"]
    total = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    assert f"total {total}" in " ".join(result.out.split())


@pytest.mark.parametrize(
    "about", [{}, [1, 2], "a note", {"metrics": {"test": "good"}, "x": {"y": [1]}}, {"metrics": 3}]
)
def test_show_bears_any_notes(run, model, about):
    loaded = training.load(model)
    training.save("m.safetensors", loaded._replace(config=dict(loaded.config) | {"about": about}))
    assert run("show", "m.safetensors").status == 0


def test_show_tells_what_an_ensemble_is(run, ensemble):
    result = run("show", ensemble)
    assert (result.status, result.err) == (0, "")
    told = [" ".join(line.split()) for line in result.out.splitlines()]
    sizes = ["-".join(map(str, model.config["sizes"])) for model in training.load(ensemble).models]
    assert "ensemble 2 networks of 2 architectures" in told
    assert "preprocessing 2 different ones among the networks, such as one for each fold" in told
    (first,) = (line for line in told if line.startswith(f"1 {sizes[0]} relu 0.7500 "))
    (second,) = (line for line in told if line.startswith(f"2 {sizes[1]} 0.2500 "))
    assert f"total {int(first.split()[-1]) + int(second.split()[-1])}" in told
    assert "problem classes: stroke is one of 2: ill, well" in told
    assert told[-2:] == ["folds 2", "seed 0"]


@pytest.mark.parametrize(("no", "yes"), [("FALSE", "TRUE"), ("False", "True"), ("No", "Yes")])
def test_predictions_are_in_the_words_of_the_table(run, tmp_path, no, yes):
    """Also the words of --class-weight, of the scores of each class, and of the columns of probabilities."""
    rows = rows_of_patients()
    rows["stroke"] = [yes if value == "ill" else no for value in rows["stroke"]]
    (tmp_path / "table.csv").write_text(as_csv(rows))
    argv = ("--target", "stroke", "--drop", "id", "cost", "--class-weight", f"{yes}=2", "--out", "m", *FAST)
    result = run("train", "table.csv", *argv)
    assert result.status == 0, result.err
    assert f"\n{yes} " in result.out
    result = run("predict", "m", "table.csv", "--probabilities")
    header, answers = read_csv(result.out)
    assert header == ["prediction", f"probability of {no}", f"probability of {yes}"]
    assert {answer[0] for answer in answers} <= {no, yes}
    copied = read_csv(run("predict", "m", "table.csv", "--id", "stroke").out)[1]
    assert [answer[0] for answer in copied] == rows["stroke"]
    right = np.mean([answer[0] == truth for answer, truth in zip(answers, rows["stroke"], strict=True)])
    assert result.err.startswith(f"60 rows: accuracy {right:.4f}, ")


def test_columns_are_copied_as_they_are_written(run, model, tmp_path):
    rows = rows_of_patients(4)
    rows |= {"number": ["007", "1.50", "", "9007199254740993"], "name": ["Ann", '"Lee, Bo"', "", "Zoë"]}
    (tmp_path / "new.csv").write_text(as_csv(rows), encoding="utf-8")
    result = run("predict", model, "new.csv", "--id", "number", "name", "pressure", "--probabilities")
    header, answers = read_csv(result.out)
    assert header[:4] == ["number", "name", "pressure", "prediction"]
    assert [answer[0] for answer in answers] == ["007", "1.50", "", "9007199254740993"]
    assert [answer[1] for answer in answers] == ["Ann", "Lee, Bo", "", "Zoë"]
    assert [float(answer[2]) for answer in answers] == rows["pressure"]
    plain = read_csv(run("predict", model, "new.csv", "--probabilities").out)
    assert [answer[3:] for answer in answers] == plain[1]


def test_intervals_stand_beside_the_predictions(run, patients):
    run("train", patients, "--target", "cost", "--drop", "id", "stroke", "--out", "m", *FAST)
    result = run("predict", "m", patients, "--interval", "0.8")
    header, answers = read_csv(result.out)
    assert header == ["prediction", "lower 80 %", "upper 80 %"]
    held = sum(
        float(low) <= cost <= float(high)
        for cost, (_, low, high) in zip(rows_of_patients()["cost"], answers, strict=True)
    )
    assert f"80 % intervals hold {held} of 60 targets, {100 * held / 60:.1f} %" in result.err
    assert "intervals      up to 92 %, calibrated on 12 test rows" in run("show", "m").out


def test_classes_that_are_likely_stand_beside_the_predictions(run, model, patients):
    header, answers = read_csv(run("predict", model, patients, "--interval", "0.9", "--probabilities").out)
    assert header == ["prediction", "classes 90 %", "probability of ill", "probability of well"]
    assert {likely for _, likely, *_ in answers} <= {"ill", "well", "ill | well", "well | ill"}
    assert all(likely.split(" | ")[0] == prediction for prediction, likely, *_ in answers)


def test_intervals_that_a_model_does_not_have_are_refused(run, refused, model, patients):
    told = refused("predict", model, patients, "--interval", "0.95")
    assert "95 % need at least 19 test rows, and the model had 12" in told
    assert "expected a number from 0.5 to 0.99, got '95'" in refused("predict", model, patients, "--interval", "95")
    run("train", patients, "--target", "cost", "--drop", "id", "stroke", "--test", "0", "--out", "m", *FAST)
    assert "The model has no intervals" in refused("predict", "m", patients, "--interval", "0.8")


def test_intervals_of_a_table_without_a_single_target(run, model, tmp_path):
    table = rows_of_patients()
    (tmp_path / "new.csv").write_text(as_csv({**table, "stroke": [""] * len(table["stroke"])}), encoding="utf-8")
    result = run("predict", model, "new.csv", "--interval", "0.9")
    assert result.status == 0, result.err
    assert "intervals hold" not in result.err
    assert len(read_csv(result.out)[1]) == len(table["stroke"])


def test_classes_with_a_bar_in_their_names_are_told_apart():
    table = {"x": np.arange(4.0), "y": ["a", "b", "a | b", 'a|"b"']}
    fitted = preprocessing.fit(table, "y")
    (found,) = predict._regions(fitted, CLASSES, np.array([[3.0, 1.0, 2.0, 0.0]]), 1.0).values()
    assert found == ['a | "a|""b""" | "a | b" | b']


def test_a_column_with_the_name_of_an_interval_is_not_copied(refused, model, tmp_path):
    table = rows_of_patients()
    (tmp_path / "new.csv").write_text(as_csv({**table, "classes 90 %": table["stroke"]}), encoding="utf-8")
    told = refused("predict", model, "new.csv", "--id", "classes 90 %", "--interval", "0.9")
    assert "--id classes 90 %: a column beside the predictions has that name" in told


def test_a_column_to_copy_that_is_not_there(refused, model, patients):
    assert "Did you mean 'pressure'?" in refused("predict", model, patients, "--id", "presure")
    assert "Unknown column 'x'" in refused("predict", model, "iris", "--id", "x")


def test_a_column_with_the_name_of_the_predictions_is_not_copied(refused, model, tmp_path):
    table = rows_of_patients()
    (tmp_path / "new.csv").write_text(as_csv({**table, "prediction": table["stroke"]}), encoding="utf-8")
    assert "--id prediction: the predictions have that name" in refused(
        "predict", model, "new.csv", "--id", "prediction"
    )


def test_predictions_of_training_rows_are_said_to_be_such(run, model, patients, tmp_path):
    told = "include the 36 that the model was trained on"
    assert told in run("predict", model, patients).err
    (tmp_path / "other.csv").write_bytes(patients.read_bytes())
    assert told not in run("predict", model, "other.csv").err
    (tmp_path / "patients.csv").write_text(as_csv(rows_of_patients(59)))
    assert told not in run("predict", model, "patients.csv").err


def test_the_command_that_is_suggested_does_not_predict_the_training_rows(run, patients):
    told = run("train", patients, "--target", "stroke", "--drop", "id", "cost", "--out", "m", *FAST).out
    assert "next           jaxnn predict m new_rows.csv  # rows not trained on" in told.splitlines()
