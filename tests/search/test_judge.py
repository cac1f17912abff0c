"""The judge of trials on planted scores: it is a state machine, and nothing is trained."""

import math

import numpy as np
import pytest

from jaxnn.search.judge import OUT_OF_TIME, Judge

RUNGS = (2, 6, 18)


class Race:
    """Trials of planted scores, trained in step until the judge or their own length ends them."""

    def __init__(self, curves, *, rungs=RUNGS, sign=1.0, spared=(), time_is_up=lambda: False, reached=None):
        """curves: trial -> its networks' scores of each epoch."""
        self.judge = Judge(rungs, sign, spared=spared, time_is_up=time_is_up)
        self.judge.reached |= reached or {}
        jobs = [(number, curve) for number, own in curves.items() for curve in own]
        self.curves = {job: np.asarray(curve, float) for job, (_, curve) in enumerate(jobs)}
        self.judge.begin({n: [job for job, (owner, _) in enumerate(jobs) if owner == n] for n in curves})
        self.epochs = dict.fromkeys(self.curves, 0)
        self.running = set(self.curves)

    def step(self, starting=None):
        """One more epoch of all that run, or of some; returns what the judge ends."""
        for job in self.running if starting is None else starting:
            self.epochs[job] += 1
        begun = {job for job in self.running if self.epochs[job]}
        for job in sorted(begun):
            if self.epochs[job] == len(self.curves[job]):
                begun.remove(job)
                self.running.remove(job)
        ended = self.judge({job: self.curves[job][: self.epochs[job]] for job in begun}) if begun else []
        self.running -= set(ended)
        for job in self.curves.keys() - self.running:
            self.judge.note(job, self.curves[job][: self.epochs[job]])
        return ended

    def run(self):
        """Until all have ended; returns the epochs of each trial's networks."""
        while self.running:
            self.step()
        return {number: [self.epochs[job] for job in jobs] for number, jobs in self.judge.jobs.items()}


def constant(*levels, epochs=18):
    """One network for each trial, whose score never changes."""
    return {number: [[level] * epochs] for number, level in enumerate(levels)}


def test_the_best_third_of_a_rung_goes_on_and_all_who_arrive_at_once_are_judged_alike():
    levels = (9, 3, 7, 1, 8, 2, 6, 5, 4)
    race = Race(constant(*levels))
    assert race.step() == []  # before the first rung
    assert race.step() == [job for job, level in enumerate(levels) if level > 3]
    epochs = race.run()
    # Nine at the first rung, three at the second, and the best goes to the end; the order of the numbers is no matter.
    assert epochs == {number: [{1: 18, 2: 6, 3: 6}.get(level, 2)] for number, level in enumerate(levels)}
    assert race.judge.ended == {number: "halved" for number, level in enumerate(levels) if level > 1}
    assert race.judge.reached == {
        number: [level] * {1: 2, 2: 2, 3: 2}.get(level, 1) for number, level in enumerate(levels)
    }


def test_at_the_last_rung_nobody_is_judged():
    race = Race(constant(1, 2, 3), rungs=(18,))
    assert race.run() == {0: [18], 1: [18], 2: [18]}
    assert race.judge.reached == {0: [], 1: [], 2: []}
    assert Race(constant(1, 2, 3, epochs=30), rungs=(18,)).run() == {0: [30], 1: [30], 2: [30]}
    assert Race(constant(1, 2, 3), rungs=()).run() == {0: [18], 1: [18], 2: [18]}


def test_a_trial_is_judged_by_the_mean_of_its_networks_best_scores_until_the_rung():
    curves = {
        0: [[5, 1, 0, 0, 0, 0], [5, 3, 0, 0, 0, 0]],  # 2: what comes after the rung does not count
        1: [[0, 9, 9, 9, 9, 9], [3, 3, 3, 3, 3, 3]],  # 1.5: the best, not the last
        2: [[4, 4, 4, 4, 4, 4], [4, 4, 4, 4, 4, 4]],
    }
    race = Race(curves, rungs=(2, 6))
    assert race.run() == {0: [2, 2], 1: [6, 6], 2: [2, 2]}
    assert race.judge.reached == {0: [2.0], 1: [1.5], 2: [4.0]}


def test_higher_is_better_with_the_other_sign():
    race = Race(constant(0.1, 0.9, 0.5), sign=-1.0)
    assert race.run() == {0: [2], 1: [18], 2: [2]}
    assert race.judge.reached[1] == [-0.9, -0.9]


def test_a_network_that_its_patience_ended_keeps_its_best():
    curves = {0: [[1.0], [2.0] * 18], 1: [[4.0] * 18, [4.0] * 18], 2: [[9.0] * 18, [0.5] * 18]}
    race = Race(curves)
    epochs = race.run()
    assert race.judge.reached[0] == [1.5, 1.5]  # of 1.0 from the only epoch of the first, and 2.0
    assert epochs == {0: [1, 18], 1: [2, 2], 2: [2, 2]}


def test_a_trial_that_has_ended_by_itself_is_not_judged_but_its_rungs_count():
    curves = constant(1, 2, 3) | {0: [[1.0] * 4]}
    race = Race(curves)
    assert race.run() == {0: [4], 1: [2], 2: [2]}
    assert race.judge.reached[0] == [1.0]
    assert 0 not in race.judge.ended


def test_a_trial_is_judged_when_its_last_network_arrives():
    race = Race({0: [[9.0] * 2 + [0.0] * 16, [9.0] * 18], 1: [[1.0] * 18], 2: [[1.0] * 18]})
    for _ in range(5):  # the second network of trial 0 waits for room
        assert race.step(starting=[0, 2, 3]) == []
    assert race.judge.reached == {0: [], 1: [1.0], 2: [1.0]}
    assert race.step(starting=[1]) == []
    assert race.step(starting=[1]) == [0, 1]
    assert race.judge.reached[0] == [9.0]


def test_late_trials_are_judged_by_those_before_them_and_never_the_other_way():
    race = Race(constant(5, 6, 1, 2))
    for _ in range(3):
        assert race.step(starting=[0, 1]) == []  # fewer than three: each goes on
    for _ in range(2):
        ended = race.step(starting=[2, 3])
    assert ended == [3]
    assert race.judge.ended == {3: "halved"}


def test_trials_of_earlier_runs_count():
    race = Race({7: [[3.0] * 18], 8: [[0.5] * 18]}, reached={1: [1.0, 1.0], 2: [2.0, 2.0], 3: [9.0]})
    assert race.run() == {7: [2], 8: [18]}
    assert race.judge.ended == {7: "halved"}


def test_one_that_begins_again_begins_at_the_first_rung():
    race = Race({7: [[3.0] * 18]}, reached={7: [1.0, 1.0]})
    assert race.judge.reached == {7: []}


def test_a_spared_trial_is_never_ended_and_counts():
    late = iter([False] * 3 + [True] * 100)
    race = Race(constant(9, 1, 2, 3), spared=[0], time_is_up=lambda: next(late))
    assert race.run() == {0: [18], 1: [4], 2: [2], 3: [2]}
    assert race.judge.reached[0] == [9.0, 9.0]
    assert race.judge.ended == {1: OUT_OF_TIME, 2: "halved", 3: "halved"}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_not_finite_never_go_on_and_end_nobody_else(bad):
    race = Race(constant(bad, 1.0, bad, bad))
    assert race.run() == {0: [2], 1: [18], 2: [2], 3: [2]}
    race = Race({0: [[bad] * 18, [0.0] * 18], 1: [[5.0] * 18, [5.0] * 18], 2: [[bad, 7.0] + [9.0] * 16] * 2})
    race.step()
    race.step()
    assert race.judge.reached[2] == [7.0]  # a later finite epoch counts
    assert race.judge.ended == {0: "halved", 2: "halved"}


def test_a_network_without_a_score_ends_its_trial_at_the_next_rung():
    judge = Judge(RUNGS, 1.0, spared=(), time_is_up=lambda: False)
    judge.begin({0: [0, 1]})
    assert judge({0: np.ones(1), 1: np.ones(1)}) == []
    judge.note(0, ())  # it diverged
    assert judge({1: np.ones(2)}) == [1]
    assert judge.ended == {0: "halved"}
    assert math.isnan(judge.reached[0][0])


def test_when_the_time_is_up_what_runs_or_waits_is_interrupted_and_what_is_done_is_not():
    up = iter([False, True, True])
    race = Race({0: [[1.0]], 1: [[1.0], [1.0] * 18], 2: [[1.0] * 18], 3: [[1.0] * 18]}, time_is_up=lambda: next(up))
    assert race.step(starting=[0, 1, 2, 3]) == []  # trial 3 waits; trial 0 and the first network of 1 are done
    assert race.step(starting=[2, 3]) == [2, 3]
    assert race.judge.ended == {1: OUT_OF_TIME, 2: OUT_OF_TIME, 3: OUT_OF_TIME}
    race.running = {4}
    assert race.step() == [4]  # as soon as it begins


def test_a_trial_that_was_halved_stays_so_when_the_time_is_up():
    race = Race(constant(1, 2, 3), time_is_up=lambda: True, rungs=(1, 18))
    assert race.step() == [0, 1, 2]
    assert race.judge.ended == {0: OUT_OF_TIME, 1: "halved", 2: "halved"}


def test_no_program_begins_after_the_time_unless_a_trial_is_spared():
    late = []
    judge = Judge((), 1.0, spared=[0], time_is_up=lambda: bool(late))
    judge.begin({1: [0], 2: [1]})
    assert not judge.over()
    late.append("now")
    assert judge.over()
    judge.begin({0: [0], 1: [1]})
    assert not judge.over()
