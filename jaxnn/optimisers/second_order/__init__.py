"""Methods that evaluate the objective themselves and know its curvature: one method a file, `methods` the table."""
