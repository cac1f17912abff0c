"""The activations of `jaxnn.activations` as C99, each of an array of n numbers in place.

`real` is the type of the parameters; `EXP` and the others are the functions of <math.h> for that type.
"""

HEAD = "static void apply_{name}(real *z, int n)\n{{\n"
ELEMENTWISE = {  # a formula of z[k]
    "sigmoid": "z[k] = 1 / (1 + EXP(-z[k]));",
    "tanh": "z[k] = TANH(z[k]);",
    "relu": "z[k] = z[k] > 0 ? z[k] : 0;",
    "leaky_relu": "z[k] = z[k] > 0 ? z[k] : (real)0.01 * z[k];",
    "absolute_value": "z[k] = FABS(z[k]);",
    "elu": "z[k] = z[k] > 0 ? z[k] : EXPM1(z[k]);",
    "selu": "z[k] = (real)1.0507009873554805 * (z[k] > 0 ? z[k] : (real)1.6732632423543772 * EXPM1(z[k]));",
    "gelu": (
        "z[k] = z[k] / 2 * (1 + TANH((real)0.7978845608028654\n"
        "            * (z[k] + (real)0.044715 * z[k] * z[k] * z[k])));"
    ),
    "silu": "z[k] = z[k] / (1 + EXP(-z[k]));",
    "softplus": "z[k] = (z[k] > 0 ? z[k] : 0) + LOG1P(EXP(-FABS(z[k])));",
}
SOFTMAX = """\
    real largest = z[0], sum = 0;
    int k;
    for (k = 1; k < n; k++)
        if (z[k] > largest) largest = z[k];
    for (k = 0; k < n; k++) sum += z[k] = EXP(z[k] - largest);
    for (k = 0; k < n; k++) z[k] /= sum;
}
"""
FUNCTIONS = ("EXP", "EXPM1", "LOG1P", "TANH", "FABS")
NAMES = (*ELEMENTWISE, "identity", "softmax")  # the identity needs no code


def definitions(names: tuple[str, ...], *, single: bool) -> str:
    """The functions of these activations, after the macros that they use; `single` precision is float."""
    bodies = []
    for name in dict.fromkeys(names):
        if name in ELEMENTWISE:
            loop = f"    int k;\n    for (k = 0; k < n; k++)\n        {ELEMENTWISE[name]}\n}}\n"
            bodies.append(HEAD.format(name=name) + loop)
        elif name == "softmax":
            bodies.append(HEAD.format(name=name) + SOFTMAX)
    text = "\n".join(bodies)
    suffix = "f" if single else ""
    macros = [f"#define {each} {each.lower()}{suffix}\n" for each in FUNCTIONS if f"{each}(" in text]
    return "".join(macros) + ("\n" if macros else "") + text
