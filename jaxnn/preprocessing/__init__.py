"""From the columns of a raw table to a network's inputs and targets, and back.

What is learnt here is learnt from the training rows only, lives inside the saved model as plain JSON, and is applied
to every later table in the same way:

    number      (x - mean) / scale, with scale the standard deviation (divisor n)
    boolean     0 or 1
    category    one input per category seen in training, 1 for the row's own category and 0 for the others; of more than
                100, one for each of the most frequent 100 with at least five training rows, and one for all others
    date        (t - mean) / scale of the days t, and (sin, cos) of the angle of the month, the day, the weekday and the
                hour, each where it varies in training
    unused      no input: a single value in training (up to rounding) or none, whole numbers that number the rows, names
                or free text
    target      class codes 0, 1, 2, … in sorted order, (y - mean) / scale, or y / mean of counts

`deciding` decides what a column is, by the caller's declaration (`category`, `number`), else by its dtype, else by how
its texts are written: `1,045`, `$120` and `45%` are numbers if the whole column is (`written`), `31.01.2023`,
`Jan 31, 2023`, `14:30` and 20230131 are dates (`dates`). A few stray words between numbers or dates are missing values
(`strays`); a comma that could be two things is read as the other columns have it (`marks`). `Preprocessing.notes` lists
decisions that could have gone otherwise, and `explain` what is done with each column. All decisions are stored, and
later tables are read the same way. What cannot be decided is refused, all faults of a table at once (`faults`).

A missing value (None, NaN, an empty field) is replaced by the column's mean, or by no category, or by the centre of the
circles of a date, and an input called `name is missing` is 1 for that row. A column without missing values in training
refuses them later, because the network has never seen one, unless `fill_missing` is asked for. A category that was not
seen in training is one of the others if the column has an input for them; else it becomes zeros throughout, because a
rare category may fall into the validation part by chance, and `unknown_categories` lists them for a caller who wants to
know. `remarks` lists what else makes predictions doubtful, such as numbers far outside the training range; `clip`
limits them to it. A target is never filled in: `fit` refuses missing ones, and `experiments.source` leaves out their
rows.

Standardising inputs: LeCun, Bottou, Orr and Müller, "Efficient BackProp" (1998), section 4.3.
"""

from jaxnn.preprocessing.explaining import Explained, Explanation, described
from jaxnn.preprocessing.fitting import explain, fit, fit_arrays
from jaxnn.preprocessing.learnt import Column, Target
from jaxnn.preprocessing.remarks import remarks
from jaxnn.preprocessing.stored import from_spec
from jaxnn.preprocessing.targets import problem_of
from jaxnn.preprocessing.transform import Preprocessing

__all__ = [
    "Column",
    "Explained",
    "Explanation",
    "Preprocessing",
    "Target",
    "described",
    "explain",
    "fit",
    "fit_arrays",
    "from_spec",
    "problem_of",
    "remarks",
]
