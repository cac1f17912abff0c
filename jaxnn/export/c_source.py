"""C99: the whole model as one file of source, without allocation, for microcontrollers.

It needs <float.h> and <math.h> and nothing else. A row is an array of doubles, one for each column that the model uses:
numbers as they are, booleans as 0 or 1, categories as codes that an enum names, missing values as NAN. The network
computes in the dtype of its parameters, what is before and after it in double, as `Model.predict` does; its two arrays
of as many numbers as the widest layer has are on the stack.

    int model_outputs(const double columns[], double outputs[]);         the raw outputs; 0 if the row is refused
    int model_predict(const double columns[], double probabilities[]);   classes: the code of the class, -1 if refused
    double model_predict(const double columns[]);                        a number or a count: NAN if refused

What `Model.predict` refuses is refused: a missing value where training had none, a boolean other than 0 and 1, a number
that is infinite or too far away. Do not compile with -ffast-math, under which NAN is not told.
"""

import re

from jaxnn.export import c_activations, c_columns
from jaxnn.export.c_names import array, comment, number, string
from jaxnn.export.network import Network, needed_columns, network_of, refuse_dates
from jaxnn.training import Ensemble, Model
from jaxnn.version import __version__

AFFINE = """\
/* z = h W + b, with the weights of each output side by side. */
static void affine(const real *w, const real *b, int n_in, int n_out, const real *h, real *z)
{
    int i, j;
    for (j = 0; j < n_out; j++) {
        real sum = b ? b[j] : 0;
        for (i = 0; i < n_in; i++) sum += h[i] * w[j * n_in + i];
        z[j] = sum;
    }
}
"""
PREDICT_CLASS = """\
/* The code of the most probable class, or -1 if the row is refused; probabilities may be NULL. */
int {name}_predict(const double columns[{columns}], double probabilities[{classes}])
{{
    double o[{classes}], sum = 0;
    int k, best = 0;
    if (!{name}_outputs(columns, o)) return -1;
    for (k = 1; k < {classes}; k++)
        if (o[k] > o[best]) best = k;
    if (probabilities) {{
        for (k = 0; k < {classes}; k++) sum += probabilities[k] = exp(o[k] - o[best]);
        for (k = 0; k < {classes}; k++) probabilities[k] /= sum;
    }}
    return best;
}}
"""
PREDICT_NUMBER = """\
/* The prediction, in the units of the training table; NAN if the row is refused. */
double {name}_predict(const double columns[{columns}])
{{
    double o[1];
    return {name}_outputs(columns, o) ? {answer} : NAN;
}}
"""


def c(model: Model | Ensemble, *, name: str = "model") -> str:
    """A model as C99 source.

    Args:
        model: a trained network.
        name: what all names in it begin with.

    Raises:
        ValueError: the name is none of C's, or the model has what is not exported.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,19}", name):
        raise ValueError(f"name must be up to 20 letters, digits and _, and begin with a letter, got {name!r}.")
    network = network_of(model, "C", c_activations.NAMES)
    refuse_dates(network.fitted, "C")
    single = network.dtype.itemsize == 4
    parts = [
        _head(network, name),
        "#include <float.h>\n#include <math.h>\n",
        _declarations(network, name),
        f"typedef {'float' if single else 'double'} real;\n",
        *(_weights(network, single=single)),
        c_activations.definitions(network.activations, single=single),
        AFFINE,
        "" if network.fitted is None else c_columns.functions(network.fitted),
        _outputs(network, name),
        _predict(network, name),
    ]
    return "\n".join(part for part in parts if part)


def _head(network: Network, name: str) -> str:
    sizes = "-".join(map(str, network.sizes))
    what = "raw outputs" if network.fitted is None else f"{network.fitted.target_name} ({network.fitted.problem})"
    return (
        f"/* A network {sizes} that predicts {comment(what)}: written by jaxnn {__version__}.\n"
        f" * C99; needs <float.h> and <math.h>. Do not compile with -ffast-math: missing values are NAN. */\n"
    )


def _columns(network: Network) -> int:
    return network.sizes[0] if network.fitted is None else len(needed_columns(network.fitted))


def _declarations(network: Network, name: str) -> str:
    """What a program that uses the file may copy."""
    fitted, upper, classes = network.fitted, name.upper(), network.sizes[-1]
    row = f"const double columns[{_columns(network)}]"
    if fitted is None:
        text = f"enum {{ {upper}_COLUMNS = {_columns(network)} }};\n"
    else:
        text = c_columns.declarations(name, fitted)
    text += f"\nenum {{ {upper}_OUTPUTS = {classes} }};\n\n"
    text += f"int {name}_outputs({row}, double outputs[{classes}]);\n"
    if network.problem == "classes":
        text += f"int {name}_predict({row}, double probabilities[{classes}]);\n"
        if fitted is not None:
            names = ",\n    ".join(map(string, fitted.class_names))
            text += f"extern const char *const {name}_classes[{classes}];\n\n"
            text += f"const char *const {name}_classes[{classes}] = {{\n    {names}\n}};\n"
    elif _has_number(network):
        text += f"double {name}_predict({row});\n"
    return text


def _has_number(network: Network) -> bool:
    """Whether there is one number to predict; of several, the raw outputs are all there is."""
    return network.problem in ("numbers", "counts") and network.sizes[-1] == 1


def _weights(network: Network, *, single: bool) -> list[str]:
    text = []
    for k, (w, b) in enumerate(network.layers):
        text.append(array(f"w{k}", w.T, single=single))
        if b is not None:
            text.append(array(f"b{k}", b, single=single))
    return text


def _outputs(network: Network, name: str) -> str:
    """The function that fills in the inputs and evaluates the layers."""
    n_in, n_out = network.sizes[0], network.sizes[-1]
    here, there = "inputs", "others"
    lines = ""
    for k, ((w, b), sigma) in enumerate(zip(network.layers, (*network.activations, "identity"), strict=True)):
        lines += f"    affine(w{k}, {'0' if b is None else f'b{k}'}, {w.shape[0]}, {w.shape[1]}, {here}, {there});\n"
        lines += "" if sigma == "identity" else f"    apply_{sigma}({there}, {w.shape[1]});\n"
        here, there = there, here
    if network.fitted is None:
        bound = "FLT_MAX" if network.dtype.itemsize == 4 else "DBL_MAX"
        fill = f"    for (k = 0; k < {n_in}; k++) {{\n        if (!(fabs(columns[k]) <= {bound})) return 0;\n"
        fill += "        inputs[k] = (real)columns[k];\n    }\n"
    else:
        fill = c_columns.statements(network.fitted)
    return (
        "/* The raw outputs of a row; 0 if it is refused, else 1. */\n"
        f"int {name}_outputs(const double columns[{_columns(network)}], double outputs[{n_out}])\n{{\n"
        f"    real inputs[{max(network.sizes)}], others[{max(network.sizes)}];\n    int k;\n"
        f"{fill}{lines}"
        f"    for (k = 0; k < {n_out}; k++) {{\n        if (!isfinite({here}[k])) return 0;\n"
        f"        outputs[k] = {here}[k];\n    }}\n    return 1;\n}}\n"
    )


def _predict(network: Network, name: str) -> str:
    columns, n_out = _columns(network), network.sizes[-1]
    if network.problem == "classes":
        return PREDICT_CLASS.format(name=name, columns=columns, classes=n_out)
    if not _has_number(network):
        return ""
    target = None if network.fitted is None else network.fitted.target
    answer = "exp(o[0])" if network.problem == "counts" else "o[0]"
    if target is not None:
        answer += f" * {number(target.scale)}"
        answer += f" + {number(target.mean)}" if target.mean else ""
    return PREDICT_NUMBER.format(name=name, columns=columns, answer=answer)
