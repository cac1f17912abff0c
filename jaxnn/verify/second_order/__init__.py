"""Second order against what is known: exact Hessians, and minima that others have certified."""
