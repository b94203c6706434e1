"""What the store keeps, as values: each part's in the module of its tables."""
