"""Which published rule somebody's own optimiser follows.

load("package.module:factory")    what the user names (`mine`), checked before it is compared with anything
identify(factory)                 the nearest known rules (`known`), at the hyperparameters that fit best (`fits`),
behind the clipping that was found (`clipping`), reported in sentences (`findings`)
"""

from jaxnn.verify.recognition.findings import identify
from jaxnn.verify.recognition.mine import load

__all__ = ["identify", "load"]
