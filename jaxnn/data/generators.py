"""Data sets made on the spot from a seed: the classic toys in two dimensions, and a risk whose truth is known.

Each is a pure function of its arguments: the same `n`, `seed` and `noise` give the same rows on every machine.
"""

import numpy as np

from jaxnn import checks
from jaxnn.data.dataset import Dataset

SOURCE = "made by jaxnn.data.generators"


def xor(*, n: int = 400, seed: int = 0, noise: float = 0.2) -> Dataset:
    """Four clouds around (±1, ±1): class 1 where the signs differ, so no single line separates the classes.

    Args:
        n: rows, ≥ 4; as equally many per cloud as can be.
        seed: of the generator, ≥ 0.
        noise: standard deviation of each cloud, ≥ 0.
    """
    rng = _generator(n, seed, noise)
    corner = np.arange(n) % 4
    centres = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    x = centres[corner] + noise * rng.standard_normal((n, 2))
    y = ((corner == 1) | (corner == 2)).astype(np.int64)
    return _plane("xor", x, y, "Exclusive or: four clouds, no line separates the two classes.")


def two_moons(*, n: int = 400, seed: int = 0, noise: float = 0.1) -> Dataset:
    """Two half circles of radius 1 that reach into each other: (cos t, sin t) and (1 - cos t, ½ - sin t), 0 ≤ t ≤ π.

    Args:
        n: rows, ≥ 4; half of them in each class.
        seed: of the generator, ≥ 0.
        noise: standard deviation added to each coordinate, ≥ 0.
    """
    rng = _generator(n, seed, noise)
    y = np.arange(n) % 2
    angle = rng.uniform(0.0, np.pi, n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    x = np.where(y[:, None] == 0, upper, lower) + noise * rng.standard_normal((n, 2))
    return _plane("two_moons", x, y, "Two half moons that reach into each other.")


def spirals(*, n: int = 400, seed: int = 0, noise: float = 0.02) -> Dataset:
    """Two spirals wound into each other, r = t / 3π at the angle t, ½π ≤ t ≤ 3π, the second turned by half a circle.

    Args:
        n: rows, ≥ 4; half of them in each class.
        seed: of the generator, ≥ 0.
        noise: standard deviation added to each coordinate, ≥ 0.

    After Lang and Witbrock, "Learning to tell two spirals apart" (1988).
    """
    rng = _generator(n, seed, noise)
    y = np.arange(n) % 2
    angle = np.pi * np.sqrt(rng.uniform(0.25, 9.0, n))  # the root spreads the points evenly along the arms
    radius = np.where(y == 0, 1.0, -1.0) * angle / (3 * np.pi)
    arm = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = arm + noise * rng.standard_normal((n, 2))
    return _plane("spirals", x, y, "Two spirals wound into each other: hard for a small network.")


def stroke_risk(*, n: int = 5_000, seed: int = 0) -> Dataset:
    """Invented patients whose true risk is known, so predictions can be compared with the truth itself.

    The risk is the logistic function of

        logit = -5.2 + 0.06 (age - 60) + 0.025 (pressure - 130) + 1.2 (temperature - 37)²
                + 0.7 smoker + 0.8 diabetes + 0.3 male + 0.5 smoker · [pressure > 140]

    Temperature acts in the shape of a U, which no linear model can follow, and smoking and pressure interact. Age is
    uniform; pressure and diabetes rise with age. The coefficients were made up for teaching: they are not medical
    knowledge.

    Args:
        n: rows, ≥ 4.
        seed: of the generator, ≥ 0.

    Returns:
        y is 1 where a stroke was drawn with probability `risk`; the Bayes error is the mean of min(risk, 1 - risk).
    """
    rng = _generator(n, seed)
    age = np.round(rng.uniform(30.0, 90.0, n))
    male = rng.integers(0, 2, n)
    smoker = rng.random(n) < 0.25
    diabetes = rng.random(n) < 0.03 + 0.003 * (age - 30.0)
    pressure = np.round(np.clip(rng.normal(112.0 + 0.5 * (age - 30.0), 14.0), 80.0, 220.0))
    temperature = np.round(np.clip(rng.normal(37.0, 0.9, n), 34.0, 41.0), 1)
    logit = (
        -5.2
        + 0.06 * (age - 60.0)
        + 0.025 * (pressure - 130.0)
        + 1.2 * (temperature - 37.0) ** 2
        + 0.7 * smoker
        + 0.8 * diabetes
        + 0.3 * male
        + 0.5 * (smoker & (pressure > 140.0))
    )
    risk = 1.0 / (1.0 + np.exp(-logit))
    return Dataset(
        name="stroke_risk",
        x=np.column_stack([age, male, pressure, temperature, smoker, diabetes]).astype(np.float64),
        y=(rng.random(n) < risk).astype(np.int64),
        feature_names=(
            "age (years)",
            "male",
            "systolic pressure (mmHg)",
            "temperature (°C)",
            "smoker",
            "diabetes",
        ),
        class_names=("no stroke", "stroke"),
        target_name="stroke",
        problem="classes",
        description="Invented patients with a known true risk of stroke; temperature acts in the shape of a U.",
        source=SOURCE,
        risk=risk,
    )


def _generator(n: int, seed: int, noise: float = 0.0) -> np.random.Generator:
    """Checks what all generators take, and starts the random numbers."""
    checks.whole(4, n=n)
    checks.whole(0, seed=seed)
    checks.non_negative(noise=noise)
    return np.random.default_rng(seed)


def _plane(name: str, x: np.ndarray, y: np.ndarray, description: str) -> Dataset:
    """A toy of two classes in the plane."""
    return Dataset(
        name=name,
        x=x,
        y=y.astype(np.int64),
        feature_names=("x₁", "x₂"),
        class_names=("0", "1"),
        target_name="class",
        problem="classes",
        description=description,
        source=SOURCE,
    )
