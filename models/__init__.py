"""Screening's models: ONNX files, each with a card, and the code around them. Knows nothing of the server."""

import os

# onnxruntime's wheels send usage data to their maker from a thread of their own, unless this is set before
# they are loaded. What a lesson shows, and that there is one, is nobody else's business.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
