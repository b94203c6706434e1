"""Evidence bundles: one file that proves a lesson, or one learner's part of it, to whoever trusts nobody.

Standard library alone, for these very files lie in every bundle. The format: docs/EVIDENCE.md.
"""
