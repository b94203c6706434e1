"""Evidence bundles: what is in them, what proves it, and everything that must be refused."""
