"""Certificates: is a point a minimum?

verdicts        `certify`: one of five verdicts from the gradient and the Hessian, with error bars
spectra         eigenvalues and the Newton step, from the whole Hessian or from products with vectors
probes          whether J falls along null directions, where second derivatives are inconclusive
neighbourhood   J, its gradient and its Hessian, compiled, and what roundings of the parameters do to them
"""

from jaxnn.verify.certificates.verdicts import (
    DEGENERATE,
    MINIMUM,
    NOT_STATIONARY,
    SADDLE,
    UNDECIDED,
    VERDICTS,
    Certificate,
    certify,
)

__all__ = [
    "DEGENERATE",
    "MINIMUM",
    "NOT_STATIONARY",
    "SADDLE",
    "UNDECIDED",
    "VERDICTS",
    "Certificate",
    "certify",
]
