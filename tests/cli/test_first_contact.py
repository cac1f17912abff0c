"""Files as people have them, at the first try, at the command line."""

import pandas as pd

from tests.cli.conftest import FAST, rows_of_patients


def test_a_file_as_pandas_writes_it_trains_and_predicts_at_the_first_try(run, tmp_path):
    """Its index, compressed, with amounts in dollars and percent: each decision is a note, also for predictions."""
    rows = rows_of_patients()
    del rows["id"]
    rows["cost"] = [f"${cost:,.2f}" for cost in rows["cost"]]
    rows["weight"] = [f"{weight} %" for weight in rows["weight"]]
    pd.DataFrame(rows).to_csv(tmp_path / "patients.csv.gz")
    trained = run("train", "patients.csv.gz", "--target", "cost", "--out", "m", *FAST)
    assert trained.status == 0
    told = " ".join(trained.out.split())
    assert "note The first column has no name and numbers the rows: left out." in told
    assert "Target 'cost' is read as numbers" in told
    predicted = run("predict", "m", "patients.csv.gz")
    assert predicted.status == 0
    assert "The first column has no name and numbers the rows: left out." in predicted.err
