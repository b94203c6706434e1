"""What proves the ledger to others: signed heads, witnesses outside, bundles, and the checks of it all."""
