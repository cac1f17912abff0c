"""Raw columns as C99: standardised, one-hot, filled in and marked, as `Preprocessing.inputs` does it."""

from jaxnn.export.c_names import comment, identifiers, number
from jaxnn.export.network import codes_of, needed_columns
from jaxnn.preprocessing import Column, Preprocessing

# What becomes of a value; each returns whether it is accepted. A missing value is NAN.
FUNCTIONS = {
    "number": """\
static int number(double x, double mean, double scale, int accepted, real *input)
{
    double z = isnan(x) ? 0 : (x - mean) / scale;
    *input = (real)z;
    return (accepted || !isnan(x)) && fabs(z) <= FLT_MAX;
}
""",
    "boolean": """\
static int boolean(double x, double mean, int accepted, real *input)
{
    *input = (real)(isnan(x) ? mean : x);
    return isnan(x) ? accepted : x == 0 || x == 1;
}
""",
    "category": """\
static int category(double x, int n, int other, int accepted, real *input)
{
    int k, known = 0;
    for (k = 0; k < n; k++) {
        input[k] = x == k;
        known |= x == k;
    }
    if (other) input[n] = !known && !isnan(x);
    return accepted || !isnan(x);
}
""",
}


def declarations(prefix: str, fitted: Preprocessing) -> str:
    """The places of the columns in the array, and the codes of their categories."""
    columns = needed_columns(fitted)
    names = [column.name for column in columns]
    codes = [(column.name, category) for column in columns for category in column.categories]
    upper = prefix.upper()
    reserved = {f"{upper}_{word}" for word in ("COLUMNS", "OUTPUTS", "outputs", "predict", "classes")}
    made = iter(identifiers(upper, [*names, *(f"{name} {category}" for name, category in codes)], reserved))
    text = "/* Where each column stands in the array of a row. */\nenum {\n"
    for j, column in enumerate(columns):
        text += f"    {next(made)} = {j}, /* {comment(column.name)}: {_told(column)} */\n"
    text += f"    {upper}_COLUMNS = {len(columns)}\n}};\n"
    for column in columns:
        if column.kind == "category":
            text += f"\n/* The codes of {comment(column.name)}. */\nenum {{\n"
            lines = [f"    {next(made)} = {j}" for j in range(len(column.categories))]
            told = [f" /* {comment(category)} */" for category in column.categories]
            commas = [","] * (len(lines) - 1) + [""]
            text += "".join(f"{a}{b}{c}\n" for a, b, c in zip(lines, commas, told, strict=True)) + "};\n"
    return text


def _told(column: Column) -> str:
    """What a column takes, in words."""
    unknown = "other categories" if column.other else "an unknown one"
    told = {"number": "a number", "boolean": "0 or 1", "category": f"one of the codes below, any other for {unknown}"}
    what = told.get(column.kind, "anything")
    return what + (", NAN if missing" if column.missing != "refused" else "")


def statements(fitted: Preprocessing) -> str:
    """Fills `inputs` from `columns`, or returns 0."""
    text, start = "", 0
    for j, column in enumerate(needed_columns(fitted)):
        raw, to = _value(fitted, column, f"columns[{j}]"), f"inputs + {start}"
        accepted = int(column.missing != "refused")
        call = {
            "number": f"number({raw}, {number(column.mean)}, {number(column.scale)}, {accepted}, {to})",
            "boolean": f"boolean({raw}, {number(column.mean)}, {accepted}, {to})",
            "category": f"category({raw}, {len(column.categories)}, {int(column.other)}, {accepted}, {to})",
        }.get(column.kind)
        if call:
            text += f"    if (!{call}) return 0;\n"
        start += len(column.input_names)
        if column.missing == "marked":
            text += f"    inputs[{start - 1}] = isnan({raw}) != 0;\n"
    return text


def _value(fitted: Preprocessing, column: Column, raw: str) -> str:
    """A value of the row, with NAN for numbers such as -999 that stand for a missing one."""
    codes = [] if column.kind == "category" else codes_of(fitted, column)
    wanted = " || ".join(f"{raw} == {number(code)}" for code in codes)
    return f"({wanted} ? NAN : {raw})" if codes else raw


def functions(fitted: Preprocessing) -> str:
    """The functions that the statements call."""
    kinds = {column.kind for column in needed_columns(fitted)}
    return "\n".join(text for kind, text in FUNCTIONS.items() if kind in kinds)
