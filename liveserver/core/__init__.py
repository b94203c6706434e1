"""Pure rules: no I/O, no clock reads, standard library only (RFC numbers and clauses in each module)."""
