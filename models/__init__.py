"""Screening's models: ONNX files, each with a card, and the code around them. Knows nothing of the server."""
