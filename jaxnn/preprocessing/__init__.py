"""From the columns of a raw table to a network's inputs and targets, and back.

What is learnt here is learnt from the training rows only, lives inside the saved model as plain JSON, and is applied
to every later table in the same way:

    number      (x - mean) / scale, with scale the standard deviation (divisor n), or 1 for a constant column
    boolean     0 or 1
    category    one input per category seen in training, 1 for the row's own category and 0 for the others
    target      class codes 0, 1, 2, … in sorted order, or (y - mean) / scale

A missing value (None, NaN, an empty field) stands at the column's mean, or at no category, and an input called
`name is missing` is 1 for that row. A column without missing values in training refuses them later: the network has
never seen one. A category that was not seen in training becomes zeros throughout, because a rare category may fall
into the validation part by chance; `unknown_categories` lists them for a caller who wants to know.

Standardising inputs: LeCun, Bottou, Orr and Müller, "Efficient BackProp" (1998), section 4.3.
"""

from jaxnn.preprocessing.fitting import fit, fit_arrays, problem_of
from jaxnn.preprocessing.stored import from_spec
from jaxnn.preprocessing.transform import Column, Preprocessing, Target

__all__ = ["Column", "Preprocessing", "Target", "fit", "fit_arrays", "from_spec", "problem_of"]
