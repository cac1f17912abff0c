"""How long does the exact Hessian of a small network take, in how much memory; and how long its diagonal?

Networks with tanh, all numbers in double precision. A call computes one Hessian of the mean loss over all rows. The
witness is its Frobenius norm: all compute the same matrix. "temporary MB" is what XLA sets aside beside arguments and
result, as the compiled program tells; torch does not tell.

The second question measures the diagonal in products with vectors: thirty of these, one after another, are its
yardstick.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from benchmarks.harness import Contender, Question
from jaxnn import derivatives, losses, mlp, tree
from jaxnn.data import bundled
from jaxnn.objective import Objective

PRODUCTS = 30  # Hessian times vector, to which the diagonal is compared
CHUNKS = (16, 64, 256)  # columns or rows of the Hessian that torch computes together


class Network(NamedTuple):
    """A network, its loss and its rows."""

    sizes: tuple[int, ...]
    classes: bool  # softmax cross-entropy of labels, else squared error
    x: np.ndarray  # (rows, n_in) float64
    y: np.ndarray  # (rows,) labels, or (rows, n_out) float64
    units: int = 1
    bytes_moved: None = None

    @property
    def name(self) -> str:
        """Network, loss, rows, parameters."""
        sizes, loss = "-".join(map(str, self.sizes)), "softmax cross-entropy" if self.classes else "squared error"
        return f"{sizes}, {loss}, {len(self.x):,} rows, {tree.size(self.start()):,} parameters"

    @property
    def trial(self) -> "Network":
        """An eighth of the rows: which variant is quickest shows there too."""
        some = max(1, len(self.x) // 8)
        return self._replace(x=self.x[:some], y=self.y[:some])

    def start(self) -> mlp.Params:
        """The parameters at which the Hessian is taken, the same for all."""
        with jax.enable_x64(True):
            return mlp.init(jax.random.key(0), self.sizes, w_init=jax.nn.initializers.lecun_normal)

    def objective(self) -> Objective:
        """The mean loss of the network with tanh."""
        loss = losses.softmax_cross_entropy if self.classes else losses.squared_error
        return Objective(partial(mlp.apply, activation=jnp.tanh), loss)


@dataclass(frozen=True)
class Compiled:
    """A compiled program of one argument, the parameters, which it is called with."""

    program: Any
    params: Any

    @property
    def temporary_bytes(self) -> int:
        """What it sets aside while it runs, beside arguments and result."""
        return self.program.memory_analysis().temp_size_in_bytes

    def __call__(self) -> Any:
        """Its result, once it is there."""
        return jax.block_until_ready(self.program(self.params))


def regression() -> tuple[np.ndarray, np.ndarray]:
    """1,000 rows of 10 normal inputs and a smooth function of them."""
    x = np.random.default_rng(0).standard_normal((1000, 10))
    return x, np.sin(x.sum(axis=1, keepdims=True))


def digits() -> tuple[np.ndarray, np.ndarray]:
    data = bundled.load("digits")
    return data.x.astype(np.float64) / 16, data.y.astype(np.int32)


def problems(quick: bool) -> Iterable[Network]:
    if quick:
        x, y = digits()
        yield Network((64, 2, 10), True, x[:64], y[:64])
        return
    yield Network((64, 16, 10), True, *digits())
    yield Network((10, 32, 32, 1), False, *regression())
    yield Network((64, 32, 10), True, *digits())


def diagonal_problems(quick: bool) -> Iterable[Network]:
    return problems(True) if quick else (problem for problem in problems(False) if problem.sizes == (64, 32, 10))


def norm(problem: Network, found: Any) -> float | None:
    """Of the matrix or its diagonal; None for products with drawn vectors."""
    return None if found is None else float(np.linalg.norm(np.asarray(found)))


def jax_program(function: Callable[..., Any]) -> Callable[[Network], Compiled]:
    """Times `function(objective, params, batch)`, compiled in double precision."""

    def make(problem: Network) -> Compiled:
        params, objective = problem.start(), problem.objective()
        with jax.enable_x64(True):
            batch = jnp.asarray(problem.x), jnp.asarray(problem.y)
            program = jax.jit(lambda given: function(objective, *given)).lower((params, batch)).compile()
            return Compiled(program, (params, batch))

    return make


def flat(objective: Objective, params: mlp.Params, batch: Any) -> tuple[Callable[[Any], Any], jax.Array]:
    """J as a function of one vector, and the vector."""
    vector, back = ravel_pytree(params)
    return lambda vector: objective(back(vector), batch), vector


def structured(objective: Objective, params: mlp.Params, batch: Any) -> jax.Array:
    return derivatives.mlp_hessian(objective, params, batch, activation=jnp.tanh)


def by_jax(objective: Objective, params: mlp.Params, batch: Any) -> jax.Array:
    f, vector = flat(objective, params, batch)
    return jax.hessian(f)(vector)


def general(objective: Objective, params: mlp.Params, batch: Any) -> jax.Array:
    return derivatives.hessian(lambda params: objective(params, batch), params)


def structured_diagonal(objective: Objective, params: mlp.Params, batch: Any) -> jax.Array:
    return derivatives.mlp_hessian_diagonal(objective, params, batch, activation=jnp.tanh)


def general_diagonal(objective: Objective, params: mlp.Params, batch: Any) -> jax.Array:
    return derivatives.hessian_diagonal(lambda params: objective(params, batch), params)


def products(problem: Network) -> Callable[[], None]:
    """H v for as many vectors, one after another in one program."""

    def one_by_one(objective: Objective, params: mlp.Params, batch: Any) -> jax.Array:
        f, vector = flat(objective, params, batch)
        vectors = jax.random.normal(jax.random.key(1), (PRODUCTS, len(vector)))
        return jax.lax.map(lambda v: derivatives.hvp(f, vector, v), vectors)

    program = jax_program(one_by_one)(problem)

    def call() -> None:
        program()

    return call


def torch_loss(problem: Network) -> tuple[Callable[[Any], Any], Any]:
    """J in torch as a function of one vector, and the vector."""
    import torch

    layers = problem.start()
    vector = torch.from_numpy(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(layers)]))
    x, y = torch.from_numpy(problem.x), torch.from_numpy(problem.y.astype(np.int64) if problem.classes else problem.y)
    shapes = [leaf.shape for leaf in jax.tree.leaves(layers)]
    sizes = [int(np.prod(shape)) for shape in shapes]

    def loss(vector: Any) -> Any:
        leaves = [part.reshape(shape) for part, shape in zip(vector.split(sizes), shapes, strict=True)]
        h = x
        for index, (w, b) in enumerate(zip(leaves[::2], leaves[1::2], strict=True)):
            h = torch.addmm(b, torch.tanh(h) if index else h, w)
        return torch.nn.functional.cross_entropy(h, y) if problem.classes else ((y - h) ** 2).sum(dim=1).mean()

    return loss, vector


def torch_hessian(threads: int, way: str, chunk: int | None = None) -> Callable[[Network], Callable[[], Any]]:
    """The Hessian by one of the ways of torch.func, in chunks of rows or columns where a chunk is given."""

    def make(problem: Network) -> Callable[[], Any]:
        import torch

        loss, vector = torch_loss(problem)
        unit = torch.eye(len(vector), dtype=vector.dtype)

        def columns(vector: Any) -> Any:
            product = lambda v: torch.func.jvp(torch.func.grad(loss), (vector,), (v,))[1]
            return torch.func.vmap(product, chunk_size=chunk)(unit)

        ways = {
            "torch.func.hessian": torch.func.hessian(loss),
            "jacrev of grad": torch.func.jacrev(torch.func.grad(loss), chunk_size=chunk),
            "jvp of grad": columns,
        }

        def call() -> Any:
            torch.set_num_threads(threads)
            return ways[way](vector)

        return call

    return make


def threads_in_words(threads: int) -> str:
    return f"{threads} thread" + "s" * (threads > 1)


CONTENDERS = (
    Contender("mlp_hessian", "jitted; the block recursion", jax_program(structured)),
    Contender("derivatives.hessian", "jitted; of any function, 16 tangents at a time", jax_program(general)),
    Contender("jax.hessian", "jitted", jax_program(by_jax)),
    Contender(
        "torch.func.hessian",
        "forward over reverse, all rows at once",
        {threads_in_words(n): torch_hessian(n, "torch.func.hessian") for n in (1, 2)},
        "torch",
    ),
    Contender(
        "torch, chunked",
        "torch.func with vmap over chunks",
        {
            f"{way}, chunks of {chunk}, {threads_in_words(n)}": torch_hessian(n, way, chunk)
            for way in ("jacrev of grad", "jvp of grad")
            for chunk in CHUNKS
            for n in (1, 2)
        },
        "torch",
    ),
)

QUESTION = Question(
    name="hessian",
    title="The exact Hessian of a small network, in double precision",
    unit="Hessian",
    witness_name="norm",
    problems=problems,
    witness=norm,
    contenders=CONTENDERS,
    rounds=7,
)

DIAGONAL = Question(
    name="diagonal",
    title="The exact diagonal of the Hessian, in products with vectors",
    unit="diagonal",
    witness_name="norm",
    problems=diagonal_problems,
    witness=norm,
    contenders=(
        Contender("mlp_hessian_diagonal", "jitted; the block recursion", jax_program(structured_diagonal)),
        Contender(f"{PRODUCTS} × hvp", f"jitted; {PRODUCTS} products with vectors, one after another", products),
        Contender("derivatives.hessian_diagonal", "jitted; of any function", jax_program(general_diagonal)),
    ),
    rounds=15,
)
