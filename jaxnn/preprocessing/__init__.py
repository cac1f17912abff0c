"""From the columns of a raw table to a network's inputs and targets, and back.

What is learnt here is learnt from the training rows only, lives inside the saved model as plain JSON, and is applied
to every later table in the same way:

    number      (x - mean) / scale, with scale the standard deviation (divisor n)
    boolean     0 or 1
    category    one input per category seen in training, 1 for the row's own category and 0 for the others
    unused      no input: a single value in training (up to rounding), or whole numbers that number the rows
    target      class codes 0, 1, 2, … in sorted order, or (y - mean) / scale

`deciding` decides what a column is, by the caller's declaration (`category`, `number`), else by its dtype, else by how
its texts are written (`written`): `1,045`, `$120` and `45%` are numbers if the whole column is. `Preprocessing.notes`
lists decisions that could have gone otherwise. All decisions are stored, and later tables are read the same way.

A missing value (None, NaN, an empty field) is replaced by the column's mean, or by no category, and an input called
`name is missing` is 1 for that row. A column without missing values in training refuses them later, because the network
has never seen one, unless `fill_missing` is asked for. A category that was not seen in training becomes zeros
throughout, because a rare category may fall into the validation part by chance; `unknown_categories` lists them for a
caller who wants to know. `remarks` lists what else makes predictions doubtful, such as numbers far outside
the training range; `clip` limits them to it.

Standardising inputs: LeCun, Bottou, Orr and Müller, "Efficient BackProp" (1998), section 4.3.
"""

from jaxnn.preprocessing.fitting import fit, fit_arrays
from jaxnn.preprocessing.remarks import remarks
from jaxnn.preprocessing.stored import from_spec
from jaxnn.preprocessing.targets import problem_of
from jaxnn.preprocessing.transform import Column, Preprocessing, Target

__all__ = ["Column", "Preprocessing", "Target", "fit", "fit_arrays", "from_spec", "problem_of", "remarks"]
