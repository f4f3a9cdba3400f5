"""A plan of what was declared: names resolved, the order known, every schema checked, before anything is executed."""
