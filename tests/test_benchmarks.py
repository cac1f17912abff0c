"""The benchmarks: they measure what they say, the page shows what was measured; bad input. No time is judged."""

import importlib.util
import json
import os
import platform
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from sklearn.metrics import log_loss

from benchmarks import (
    ensembles,
    harness,
    hessian,
    large,
    machine,
    newcomers,
    page,
    prediction,
    scaling,
    scaling_picture,
    start,
    table,
    training,
    update,
)
from benchmarks.__main__ import QUESTIONS, joined, main
from jaxnn import tree

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def without_torch(monkeypatch):
    """As on a machine where torch is not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else find(name, *rest))


def published():
    return json.loads((DOCS / "performance.json").read_text(encoding="utf-8"))


def named(problem):
    return {contender["name"]: contender for contender in problem["contenders"]}


def question(contenders, rounds):
    one = SimpleNamespace(name="one", units=10, bytes_moved=None, trial="short")
    return harness.Question("q", "Q?", "step", "loss", lambda quick: [one], lambda _, out: out, contenders, rounds)


def fake_time(clock):
    def now():
        return clock[0]

    return SimpleNamespace(perf_counter=now, process_time=lambda: 2 * clock[0], sleep=lambda seconds: None)


DEAR = {
    "ensembles",
    "epochs",
    "grid_search",
    "large",
    "least_squares",
    "prediction",
    "race",
    "scaling",
    "start",
    "sweeps",
}  # many seconds each
UNPUBLISHED: set[str] = {"grid_search"}  # asked, and not yet measured for the page


@pytest.mark.by_default("update")
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in DEAR else ()) for n in QUESTIONS])
def test_quick_run_measures_every_present_contender_and_lists_the_others(name, without_torch, tmp_path, capsys):
    assert main(["--quick", "--only", name, "--json", str(tmp_path / "report.json")]) == 0
    (asked,) = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["questions"]
    printed = capsys.readouterr().out
    everyone = QUESTIONS[name].contenders
    here = [c for c in everyone if c.needs is None or importlib.util.find_spec(c.needs) is not None]
    present = {c.name for c in here if not c.slow_start}
    assert not any(c.needs == "torch" for c in here)
    assert {absent["name"] for absent in asked["absent"]} == {c.name for c in everyone} - present
    assert printed.count("(torch is not installed)") == sum(c.needs == "torch" for c in everyone)
    for problem in asked["problems"]:
        assert set(named(problem)) == present
        assert problem["name"] in printed
        for contender in problem["contenders"]:
            assert len(contender["seconds"]) == 3
            assert min(contender["seconds"]) > 0


def test_the_report_tells_the_machine_but_not_whose_it_is():
    at = harness.environment()
    assert at["versions"]["numpy"] == np.__version__
    text = json.dumps(at)
    assert os.path.expanduser("~") not in text  # Path.home() fails for a user without one
    assert str(Path.cwd()) not in text
    assert platform.node() not in text.replace('"', " ").split()


def test_same_rows_and_start_give_the_same_loss_whoever_takes_the_steps():
    (problem,) = training.problems(True)
    ours = training.final_loss(problem, training.jaxnn_run_rows_given(problem)())
    peers = training.final_loss(problem, training.optax_scan_rows_given(problem)())
    start = training.final_loss(problem, training.as_layers(problem.start()))
    assert ours < 0.9 * start
    np.testing.assert_allclose(ours, peers, rtol=1e-5)  # 16 steps in float32


@pytest.mark.slow
def test_whoever_shuffles_for_itself_starts_and_learns_like_the_others():
    (problem,) = training.problems(True)
    makers = [training.jaxnn_run, training.jaxnn_fit, training.optax_scan, training.optax_step_by_step]
    found = [training.final_loss(problem, make(problem)()) for make in makers]
    # Batches differ, steps do not: 1 % is several times what the order of rows makes of 16 steps.
    np.testing.assert_allclose(found, np.median(found), rtol=0.01)


@pytest.mark.slow
def test_every_call_is_a_whole_run_from_the_start():
    (problem,) = training.problems(True)
    for make in (training.jaxnn_run, training.jaxnn_fit, training.optax_scan, training.scikit_learn(1)):
        call = make(problem)
        first, second = call(), call()
        for (w, b), (again_w, again_b) in zip(first, second, strict=True):
            np.testing.assert_array_equal(w, again_w)
            np.testing.assert_array_equal(b, again_b)


def test_rows_visit_everything_once_an_epoch():
    (problem,) = training.problems(True)
    rows = np.asarray(training.rows_of(problem, jax.random.key(3))).reshape(problem.epochs, -1)
    np.testing.assert_array_equal(np.sort(rows), np.tile(np.arange(len(problem.x)), (problem.epochs, 1)))
    assert (rows[0] != rows[1]).any()


def test_final_loss_is_scikit_learns():
    (problem,) = training.problems(True)
    (w1, b1), (w2, b2) = layers = training.as_layers(problem.start())
    outputs = np.maximum(problem.x @ w1 + b1, 0) @ w2 + b2
    probabilities = np.exp(outputs, dtype=np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    expected = log_loss(problem.y, probabilities, labels=range(10))
    np.testing.assert_allclose(training.final_loss(problem, layers), expected, rtol=1e-5)  # float32 outputs


@pytest.mark.parametrize("make", [update.jaxnn_adam, update.optax_adam])
def test_an_update_with_a_constant_gradient_moves_by_the_learning_rate(make):
    for problem in update.problems(True):
        change = update.mean_change(problem, make(problem)())
        # The parameters are of order 1, so that float32 rounds their change to a few parts in 10⁵.
        np.testing.assert_allclose(change, update.LEARNING_RATE, rtol=1e-4)


def test_the_copy_moves_the_bytes_of_an_update(monkeypatch):
    copied = []
    monkeypatch.setattr(np, "copyto", lambda target, source: copied.append(target.nbytes + source.nbytes))
    for problem in update.problems(True):
        assert update.mean_change(problem, machine.copy(1)(problem)()) is None
        assert copied == [problem.bytes_moved] * problem.units
        assert problem.bytes_moved == 7 * problem.arrays()[0].nbytes
        copied.clear()


def test_a_thread_for_each_core_copies_and_changes_everything(monkeypatch):
    one, two = np.zeros(7), np.arange(7.0)
    machine.repeated(2, 3, np.copyto, one, two)()
    np.testing.assert_array_equal(one, two)
    machine.repeated(3, 2, lambda part: np.negative(part, out=part), one)()
    np.testing.assert_array_equal(one, -two)
    changed = []
    monkeypatch.setattr(np, "negative", lambda part, out: changed.append(part.nbytes + out.nbytes))
    for problem in update.problems(True):
        machine.in_place(1)(problem)()
        assert sum(changed) == problem.bytes_moved * problem.units
        changed.clear()


def test_flops_of_a_large_step_are_those_of_its_products():
    (problem,) = large.problems(False)
    forwards = [784 * 1024, 1024 * 1024, 1024 * 10]
    assert problem.flops == 2 * 512 * (sum(forwards) + sum(forwards) + sum(forwards[1:]))
    (small,) = large.problems(True)
    objective, _, params, data = training.ours(small.run)
    batch = tuple(part[: small.run.batch_size] for part in data)
    counted = jax.jit(jax.grad(objective)).lower(params, batch).as_text().count("dot_general")
    assert counted == 3 + 3 + 2  # as many products as are counted


@pytest.mark.slow
def test_every_library_predicts_the_same():
    for problem in prediction.problems(True):
        for contender in prediction.QUESTION.contenders:
            if contender.needs in (None, "sklearn"):
                makers = [contender.make] if callable(contender.make) else contender.make.values()
                assert all(prediction.error(problem, make(problem)()) < 1e-6 for make in makers)


def test_a_wrong_prediction_ends_the_run():
    *_, problem = prediction.problems(True)
    outputs = prediction.jitted(problem)()
    assert prediction.error(problem, prediction.Answer("outputs", outputs)) < 1e-6
    codes = outputs.argmax(axis=1)
    assert prediction.error(problem, prediction.Answer("classes", codes)) < 1e-6
    codes[5] = outputs[5].argmin()
    for wrong in (prediction.Answer("outputs", outputs + np.eye(10)[3] / 100), prediction.Answer("classes", codes)):
        with pytest.raises(ValueError, match="did other work"):
            prediction.error(problem, wrong)


def test_one_thing_grows_at_a_time():
    sizes = list(scaling.problems(False))
    assert {size.axis for size in sizes} == set(scaling.AXES)
    for size in sizes:
        _, *hidden, _ = size.run.sizes
        assert len(size.run.x) % size.run.batch_size == 0
        found = {"rows": size.run.batch_size, "width": hidden[0], "depth": len(hidden), "members": size.members}
        others = {"rows": scaling.BATCH_SIZE, "width": scaling.WIDTH, "depth": 1, "members": None}
        assert found == others | {size.axis: size.value}


def test_the_picture_of_scaling_draws_seconds_of_a_unit(tmp_path, capsys):
    def asked(name, problems):
        return {
            "name": name,
            "problems": [
                {
                    "units": 10,
                    "contenders": [
                        {"name": "jaxnn", "seconds": [10.0 * (1 + k), 1e9, 0.0]},
                        {"name": "torch", "seconds": [30.0], "units": 5},
                        {"name": "copy", "seconds": [1.0]},
                    ],
                }
                for k, _ in enumerate(problems)
            ],
        }

    report = {
        "quick": True,
        "questions": [asked(q.name, q.problems(True)) for q in (scaling.QUESTION, update.QUESTION)],
    }
    found = scaling_picture.curves(report)
    assert len(found) == 5
    assert found["width of the hidden layer"] == {"jaxnn": [(8, 3.0), (16, 4.0)], "torch": [(8, 6.0), (16, 6.0)]}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    assert scaling_picture.main([str(path), str(tmp_path / "scaling.png")]) == 0
    assert (tmp_path / "scaling.png").stat().st_size > 1000
    path.write_text(json.dumps({**report, "questions": report["questions"][1:]}), encoding="utf-8")
    assert scaling_picture.main([str(path), str(tmp_path / "scaling.png")]) == 2
    assert "python -m benchmarks --only scaling" in capsys.readouterr().err


@pytest.mark.slow
def test_whoever_computes_a_hessian_computes_the_same():
    (problem,) = hessian.problems(True)
    found = [contender.make(problem)() for contender in hessian.CONTENDERS if contender.needs is None]
    parameters = tree.size(problem.start())
    for matrix in found:
        assert matrix.shape == (parameters, parameters)
        np.testing.assert_allclose(matrix, found[0], rtol=0, atol=1e-13)
    for contender in hessian.DIAGONAL.contenders:
        diagonal = contender.make(problem)()
        if diagonal is not None:
            np.testing.assert_allclose(diagonal, np.diag(found[0]), rtol=0, atol=1e-13)


def test_a_table_tells_memory_where_a_contender_knows_it():
    times = {"settings": "", "variant": None, "witness": None, "seconds": [1.0, 1.0], "processor_seconds": [1.0, 1.0]}
    contenders = [
        {"name": "a", "temporary_bytes": 12_345_678, **times},
        {"name": "b", "temporary_bytes": None, **times},
    ]
    problem = {"name": "p", "units": 1, "bytes_moved": None, "contenders": contenders}
    asked = {"name": "q", "title": "Q", "unit": "u", "witness_name": "w", "problems": [problem], "absent": []}
    at = {"processor": "P", "cores": 2, "system": "Linux", "python": "3.11", "versions": {}}
    printed = table.text({"environment": at, "quick": False, "questions": [asked]})
    assert "temporary MB" in printed
    assert "12.3" in printed


def test_drift_of_the_machine_cancels_in_ratios(monkeypatch):
    """On a machine that gets 30 % slower each round, twice the work is still twice the time."""
    clock, calls, round_sizes = [0.0], [], 4

    def contender(name, work):
        def make(problem):
            def call():
                slowness = 1.3 ** max(0, (len(calls) - 2 * round_sizes) // round_sizes)
                calls.append(name)
                clock[0] += work * slowness
                return work

            return call

        return harness.Contender(name, "", make)

    monkeypatch.setattr(harness, "time", fake_time(clock))
    asked = question((contender("a", 1.0), contender("b", 2.0), contender("c", 0.5), contender("d", 1.0)), rounds=9)
    (problem,) = harness.measure(asked, quick=False, say=lambda sentence: None)["problems"]
    assert calls[:8] == list("aabbccdd")  # the first is the witness, the second a warm-up
    turns = np.array(calls[8:]).reshape(9, 4)
    assert [*turns[0]] == list("abcd")
    assert [*turns[1]] == list("bcda")
    assert all(sorted(turn) == list("abcd") for turn in turns)
    ratios = table.ratios(problem)
    for name, work in {"a": 1, "b": 2, "c": 0.5, "d": 1}.items():
        np.testing.assert_allclose(ratios[name], work, rtol=1e-4)  # times are kept to five digits
    assert problem["contenders"][0]["seconds"][8] > 8 * problem["contenders"][0]["seconds"][0]


def test_the_quickest_variant_takes_the_turns(monkeypatch):
    clock, seen = [0.0], []

    def variant(name, work):
        def make(problem):
            def call():
                seen.append((name, problem))
                clock[0] += work
                return work

            return call

        return make

    monkeypatch.setattr(harness, "time", fake_time(clock))
    choices = {"slow": variant("slow", 3.0), "quick": variant("quick", 1.0), "medium": variant("medium", 2.0)}
    asked = question((harness.Contender("a", "", choices), harness.Contender("b", "", variant("b", 1.0))), rounds=2)
    (problem,) = harness.measure(asked, quick=False, say=lambda sentence: None)["problems"]
    assert [contender["variant"] for contender in problem["contenders"]] == ["quick", None]
    assert problem["contenders"][0]["seconds"] == [1.0, 1.0]
    assert problem["contenders"][0]["processor_seconds"] == [2.0, 2.0]
    assert {name for name, on in seen if on != "short"} == {"quick", "b"}
    assert {name for name, on in seen if on == "short"} == set(choices)


def test_a_call_may_do_fewer_units_and_work_in_other_processes(monkeypatch):
    clock = [0.0]

    class Some:
        units, elsewhere = 4, 10.0

        def __call__(self):
            clock[0] += 2.0

    monkeypatch.setattr(harness, "time", fake_time(clock))
    asked = question((harness.Contender("a", "", lambda problem: Some()),), rounds=2)
    (problem,) = harness.measure(asked, quick=False, say=lambda sentence: None)["problems"]
    (contender,) = problem["contenders"]
    assert (problem["units"], contender["units"]) == (10, 4)
    assert contender["seconds"] == [2.0, 2.0]
    assert contender["processor_seconds"] == [14.0, 14.0]  # twice the clock here, and ten seconds elsewhere


def test_tables_tell_each_unit_its_rate_and_its_share_of_the_peak():
    def contender(name, seconds, **more):
        times = {"seconds": seconds, "processor_seconds": seconds}
        return {"name": name, "settings": "s", "variant": None, "witness": None, **times, **more}

    contenders = [
        contender("ours", [10.0, 20.0]),  # of 100 units
        contender("few", [8.0, 16.0], units=4),
        contender("peak", [1.0, 2.0], units=50.0),
    ]
    problem = {"name": "p", "units": 100, "bytes_moved": None, "flops": 3e9, "contenders": contenders}
    asked = {"name": "q", "title": "Q", "unit": "u", "witness_name": "w", "absent": [], "scale": "ms", "limit": "peak"}
    at = {"processor": "P", "cores": 2, "system": "Linux", "python": "3.11", "versions": {}}
    shown = table.markdown({"environment": at, "quick": False, "questions": [{**asked, "problems": [problem]}]})
    assert "| ms per u | × ours | quartiles | processor ms | GFLOP/s | % of peak |" in shown
    assert "| ours | 150.0 | 1.00 | 1.00–1.00 | 150.0 | 20.0 | 20.0 |" in shown
    assert "| few | 3,000.0 | 20.00 | 20.00–20.00 | 3,000.0 | 1.0 | 1.0 |" in shown
    assert "| peak | 30.0 | 0.20 | 0.20–0.20 | 30.0 | 100.0 | 100.0 |" in shown


def test_tables_show_medians_and_quartiles_of_the_ratios():
    rng = np.random.default_rng(0)
    ours, peers = rng.uniform(1, 2, 11), rng.uniform(3, 9, 11)
    problem = {
        "name": "p",
        "units": 1000,
        "bytes_moved": 28_000,
        "contenders": [
            {"name": "ours", "settings": "plain", "variant": None, "witness": 0.5, "seconds": ours.tolist()},
            {"name": "theirs", "settings": "best", "variant": "two", "witness": None, "seconds": peers.tolist()},
        ],
    }
    for contender in problem["contenders"]:
        contender["processor_seconds"] = [2 * second for second in contender["seconds"]]
    asked = {"name": "q", "title": "Q", "unit": "step", "witness_name": "loss", "problems": [problem], "absent": []}
    at = {"processor": "P", "cores": 2, "system": "Linux", "python": "3.11", "versions": {}}
    low, middle, high = np.percentile(peers / ours, [25, 50, 75])
    row = [
        "theirs",
        f"{np.median(peers) * 1e3:,.1f}",
        f"{middle:.2f}",
        f"{low:.2f}–{high:.2f}",
        f"{2 * np.median(peers) * 1e3:,.1f}",
        f"{28_000 / np.median(peers) * 1e3 / 1e9:.1f}",
        "",
        "best; two",
    ]
    report = {"environment": at, "quick": True, "questions": [asked]}
    assert "| " + " | ".join(row) + " |" in table.markdown(report)
    lines = table.text(report).splitlines()
    assert [cell for line in lines if "theirs" in line for cell in line.split()] == " ".join(row).split()
    assert any("--quick" in line for line in lines)


def test_the_page_shows_the_published_measurements_and_nothing_else():
    text = (DOCS / "performance.md").read_text(encoding="utf-8")
    assert page.rewritten(text, published()) == text


def test_the_published_measurements_answer_the_questions_of_this_code():
    report = published()
    assert not report["quick"]
    assert [asked["name"] for asked in report["questions"]] == [name for name in QUESTIONS if name not in UNPUBLISHED]
    for asked in report["questions"]:
        now = QUESTIONS[asked["name"]]
        assert asked["absent"] == []
        assert [problem["name"] for problem in asked["problems"]] == [p.name for p in now.problems(False)]
        for problem in asked["problems"]:
            assert [(c["name"], c["settings"]) for c in problem["contenders"]] == [
                (c.name, c.settings) for c in now.contenders
            ]
            assert {len(c["seconds"]) for c in problem["contenders"]} == {now.rounds}


def test_in_the_published_run_all_trained_to_a_similar_loss():
    (problem,) = published()["questions"][0]["problems"]
    reached = {name: contender["witness"] for name, contender in named(problem).items()}
    initial = np.log(10)  # of a network that knows nothing
    for name, loss in reached.items():
        # Orders of rows differ by a few hundredths; scikit-learn starts from smaller weights of its own, and is behind.
        assert loss == pytest.approx(reached["jaxnn run"], rel=1.0 if name == "scikit-learn" else 0.1), name
        assert loss < initial / 50


def recorded_start(monkeypatch, rounds):
    """`start` measured with processes that only say that they were started, and take 1, 2, 3, … seconds."""
    began = []

    def run(command, **surroundings):
        library = command[3]
        began.append((library, "JAX_COMPILATION_CACHE_DIR" in surroundings["env"]))
        moments = {moment: [len(began), 2 * len(began), 0.5] for moment in start.MOMENTS}
        return SimpleNamespace(returncode=0, stdout=f"a warning\n{json.dumps(moments)}\n", stderr="")

    monkeypatch.setattr(start.subprocess, "run", run)
    ours, optax, torch, *_ = start.QUESTION.contenders
    problems = start.measured(start.QUESTION, [ours, optax, torch], rounds, True, lambda sentence: None)
    return began, problems


def test_processes_take_turns_and_only_what_compiles_is_measured_with_a_cache(monkeypatch):
    began, problems = recorded_start(monkeypatch, rounds=3)
    everyone = ["jaxnn", "optax", "torch"]
    turns = [*everyone, *everyone, "optax", "torch", "jaxnn", "torch", "jaxnn", "optax"]
    cached = ["jaxnn", "optax", "jaxnn", "optax", "optax", "jaxnn", "jaxnn", "optax"]
    assert began == [(name, False) for name in turns] + [(name, True) for name in cached]
    assert [problem["name"] for problem in problems] == [p.name for p in start.problems(True)]
    for cold, warm in zip(problems[:4], problems[4:], strict=True):
        assert named(cold)["torch"] == named(warm)["torch"]  # which keeps no programs
        assert named(cold)["jaxnn fit"]["seconds"] == [4, 9, 11]
        assert named(warm)["jaxnn fit"]["seconds"] == [15, 18, 19]
        assert named(warm)["jaxnn fit"]["processor_seconds"] == [30, 36, 38]


def test_a_start_is_told_in_seconds_a_network(monkeypatch):
    _, problems = recorded_start(monkeypatch, rounds=3)
    asked = {"name": "start", "title": "Q", "unit": "network", "witness_name": "loss", "absent": [], "scale": "s"}
    at = {"processor": "P", "cores": 2, "system": "Linux", "python": "3.11", "versions": {}}
    shown = table.markdown({"environment": at, "quick": False, "questions": [{**asked, "problems": problems[3:4]}]})
    assert "| s per network |" in shown
    assert "| jaxnn fit | 4.50 | 1.00 |" in shown  # 9 seconds for two networks


def test_a_process_that_fails_is_told_in_one_line(monkeypatch, capsys):
    failed = SimpleNamespace(returncode=1, stdout="", stderr="Traceback\nMemoryError: no room")
    monkeypatch.setattr(start.subprocess, "run", lambda *words, **more: failed)
    assert main(["--quick", "--only", "start"]) == 2
    assert "ended with status 1: MemoryError: no room" in capsys.readouterr().err


def test_a_process_finds_no_cache_where_it_starts_cold(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    assert not any(name.startswith(start.CACHE_SETTINGS) for name in start.surroundings("cold", tmp_path))
    assert start.surroundings("cache", tmp_path)["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path)


@pytest.mark.parametrize("library", ["scikit-learn", pytest.param("jaxnn", marks=pytest.mark.slow), "optax"])
def test_a_newcomer_trains_what_it_says(library, tmp_path):
    (problem,) = training.problems(True)
    np.savez(tmp_path / "digits.npz", x=problem.x, y=problem.y)
    moments = newcomers.main(library, str(tmp_path / "digits.npz"), newcomers.time.time(), 12, 2)
    assert list(moments) == list(start.MOMENTS)
    assert min(min(values) for values in moments.values()) > 0
    # Eight steps of Adam hardly move a network; 96 at a rate of 0.01 bring it far below ln 10, which knows nothing.
    assert moments["rates"][2] < 1 < moments["first"][2]


def test_a_newcomers_loss_is_that_of_training():
    (problem,) = training.problems(True)
    layers = training.as_layers(problem.start())
    expected = training.final_loss(problem, layers)
    np.testing.assert_allclose(newcomers.cross_entropy(layers, problem.x, problem.y), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--only", "trainign"], "Did you mean 'training'?"),
        (
            ["--only", "nothing like it"],
            "Known: diagonal, ensembles, epochs, grid_search, hessian, large, least_squares, prediction, race, scaling,"
            " start, sweeps, training, update.",
        ),
        (["--only", "update", "--json", "no/such/folder/report.json"], "no such folder"),
        (["--only", "update", "--into", "no/such/report.json"], "no/such"),
        (["--only", "update", "--into", str(DOCS / "verification.json")], "is not a report that python -m benchmarks"),
        (["--only", "update", "--into", str(DOCS / "performance.md")], "is not a report that python -m benchmarks"),
        (["--quick", "--only", "update", "--into", str(DOCS / "performance.json")], "was measured without --quick"),
    ],
)
def test_bad_input_is_told_in_one_line(arguments, expected, capsys):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert expected in line


def test_flops_of_a_network_are_those_of_its_matrix_products():
    for problem in ensembles.problems(False):
        assert problem.flops == 1792 * 20 * 6 * (64 * 32 + 32 * 10)
        (one_core, all_cores) = (machine.peak(threads)["NumPy"](problem) for threads in (1, None))
        assert one_core.units * problem.flops == pytest.approx(machine.PRODUCTS * 2 * machine.WIDTH**3)
        assert all_cores.units == one_core.units


def test_members_start_as_those_who_train_them_one_by_one():
    *_, problem = ensembles.problems(True)
    assert problem.members > len(problem.first(ensembles.FEW))
    for i, run in enumerate(problem.first(ensembles.FEW)):
        for (w, b), (single_w, single_b) in zip(problem.start(), run.start(), strict=True):
            np.testing.assert_array_equal(w[i], single_w)
            np.testing.assert_array_equal(b[i], single_b)


def test_plain_jax_trains_the_same_members_whether_all_or_a_few_are_in_step(monkeypatch):
    *_, problem = ensembles.problems(True)
    monkeypatch.setattr(ensembles, "AT_ONCE", 2)
    at_once, in_chunks = (ensembles.of_runs(several)(problem)() for several in (jax.vmap, ensembles.in_chunks))
    for layer, chunked in zip(at_once, in_chunks, strict=True):
        for one, other in zip(layer, chunked, strict=True):
            assert len(one) == problem.members
            # 80 steps of Adam, each of which may turn a rounding of a small gradient into a part of 0.001.
            np.testing.assert_allclose(one, other, atol=1e-3)
    known = np.mean([training.final_loss(problem.run, [(w[i], b[i]) for w, b in at_once]) for i in range(5)])
    assert ensembles.mean_loss(problem, at_once) == pytest.approx(known)


@pytest.mark.slow
def test_whoever_trains_members_trains_them_to_the_same_loss():
    (problem, _) = ensembles.problems(True)
    makers = [
        c.make for c in ensembles.QUESTION.contenders if c.name in {"fit_ensemble", "jit(vmap(run))", "jaxnn fit"}
    ]
    calls = [make(problem) for make in makers]
    found = [ensembles.mean_loss(problem, call()) for call in calls]
    assert len(found) == 3
    np.testing.assert_allclose(found, found[0], rtol=1e-4)  # the same rows in the same order, in float32


@pytest.mark.slow
def test_a_pool_trains_what_one_process_does_and_tells_its_processor_time():
    (problem, _) = ensembles.problems(True)
    pool = ensembles.Pool(problem.first(2))
    layers = pool()
    assert pool.elsewhere > 0
    alone = ensembles.one_by_one(training.scikit_learn(1))(problem)()
    for layer, other in zip(layers, alone, strict=True):
        for one, another in zip(layer, other, strict=True):
            np.testing.assert_allclose(one, another, rtol=1e-4, atol=1e-6)  # the BLAS of another process may round so


def test_a_member_that_has_not_learnt_ends_the_run_in_one_line(monkeypatch, capsys):
    lazy = harness.Contender("lazy", "trains nothing", lambda problem: lambda: training.as_layers(problem.start()))
    monkeypatch.setitem(QUESTIONS, "ensembles", ensembles.QUESTION._replace(contenders=(lazy,)))
    assert main(["--quick", "--only", "ensembles"]) == 2
    assert "A contender did not do the work" in capsys.readouterr().err.splitlines()[-1]
    (problem, _) = ensembles.problems(True)
    broken = [(np.full_like(w, np.nan), b) for w, b in training.as_layers(problem.start())]
    with pytest.raises(ValueError, match="cross-entropy of nan"):
        ensembles.mean_loss(problem, broken)


def test_answers_join_an_earlier_report_and_say_where_they_are_from():
    def report(cores, **answers):
        asked = [{"name": name, "problems": value} for name, value in answers.items()]
        return {"environment": {"cores": cores}, "quick": False, "questions": asked}

    earlier = report(2, race="old", training="old")
    assert joined(earlier, report(2, update="new", race="new")) == report(2, training="old", update="new", race="new")
    training_, race = joined(earlier, report(4, race="new"))["questions"]
    assert (training_["problems"], race["problems"]) == ("old", "new")
    assert "environment" not in training_
    assert race["environment"] == {"cores": 4}


def test_an_answer_from_elsewhere_says_so_below_its_title():
    at = {"processor": "P", "cores": 2, "system": "Linux", "python": "3.11", "versions": {}}
    asked = {"name": "q", "title": "Q", "unit": "u", "witness_name": "w", "problems": [], "absent": []}
    report = {"environment": at, "quick": False, "questions": [asked, {**asked, "environment": {**at, "cores": 64}}]}
    for shown in (table.markdown(report), table.text(report)):
        assert shown.count("Measured on") == 1
        assert "Measured on P, 64 cores, Linux; Python 3.11, ." in shown


def test_a_run_replaces_its_answers_in_a_report(tmp_path):
    path = tmp_path / "report.json"
    assert main(["--quick", "--only", "update", "--json", str(path)]) == 0
    before = json.loads(path.read_text(encoding="utf-8"))
    before["questions"][0]["problems"] = []
    path.write_text(json.dumps(before), encoding="utf-8")
    assert main(["--quick", "--only", "update", "--into", str(path)]) == 0
    (asked,) = json.loads(path.read_text(encoding="utf-8"))["questions"]
    assert [problem["name"] for problem in asked["problems"]] == [p.name for p in update.problems(True)]
    assert "environment" not in asked


def test_every_question_is_told_on_the_page():
    text = (DOCS / "performance.md").read_text(encoding="utf-8")
    told, _, _ = text.partition("The tables were measured")
    assert [name for name in QUESTIONS if f"`{name}`" not in told] == []


def test_a_missing_data_set_is_told_in_one_line(monkeypatch, capsys):
    def missing(name):
        raise ImportError("scikit-learn is needed and is not installed.")

    monkeypatch.setattr(training.bundled, "load", missing)
    assert main(["--quick", "--only", "training"]) == 2
    assert "scikit-learn is needed" in capsys.readouterr().err


def test_page_command(tmp_path, capsys):
    report, written = tmp_path / "report.json", tmp_path / "page.md"
    report.write_text(json.dumps(published()), encoding="utf-8")
    written.write_text(f"before\n{page.BEGIN}\nof last year\n{page.END}\nafter\n", encoding="utf-8")
    assert page.main([str(report), str(written)]) == 0
    text = written.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{page.BEGIN}\n")
    assert text.endswith(f"{page.END}\nafter\n")
    assert table.markdown(published()) in text
    assert "of last year" not in text
    written.write_text("no markers", encoding="utf-8")
    for arguments in ([str(report), str(written)], [str(tmp_path / "absent.json"), str(written)], []):
        assert page.main(arguments) == 2
    assert written.read_text(encoding="utf-8") == "no markers"
    assert len(capsys.readouterr().err.splitlines()) == 3
