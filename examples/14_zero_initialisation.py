"""Why weights start at random: units that begin alike stay alike, whatever the optimiser, and count as one.

Course: page 62 (of four measures the one that does not help: to initialise all weights to zero).
python examples/14_zero_initialisation.py [PICTURE.png] [dark]
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, GREEN, ORANGE, PINK, THEME, WANTED, label, panels, write

from jaxnn import Objective, data, initialisers, losses, mlp, optimisers, training

moons = data.load("two_moons")
x = np.asarray((moons.x - moons.x.mean(0)) / moons.x.std(0), np.float32)
y = moons.y
print(x.shape, moons.problem)
UNITS, STEPS = 6, 600
objective = Objective(partial(mlp.apply, activation=jnp.tanh), losses.sigmoid_cross_entropy)
batch=(jnp.asarray(x), jnp.asarray(y[:,None],jnp.float32))
optimiser=optimisers.adam(0.05)
@jax.jit
def train(params):
    take = training.step(objective, optimiser)
    def body(state,_):
        after, info = take(state,batch)
        return after,(state.params,info.loss)
    return jax.lax.scan(body, training.init(optimiser,params), length=STEPS)
for name,w in {"zero":initialisers.zeros,"constant":initialisers.constant(0.5),"random":initialisers.get("glorot_normal")}.items():
    p=mlp.init(jax.random.key(0),(2,UNITS,1),w_init=w)
    end,(path,loss)=train(p)
    ww=path[0].w
    acc=((objective.predict(end.params,x)[:,0]>0)==y).mean()
    print(name, loss[0],loss[-1],acc, ww[-1], np.ptp(np.asarray(ww),axis=2).max())
    print(training.diagnose(objective,end.params,batch,activation=jnp.tanh))
