"""Loads a model: bytes whose SHA-256 is known, one thread, nothing else from the disk (REL-F13)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnxruntime

from models.errors import ModelError
from models.onnx_file import refuse_external

MAX_BYTES = 256 * 1024**2
_ERRORS_ONLY = 3

__all__ = ["MAX_BYTES", "ModelError", "load", "read"]


def load(path: Path, sha256: str) -> onnxruntime.InferenceSession:
    """A session for the model in `path`, on this thread alone.

    Raises `ModelError` when the file is missing, too large, not the bytes whose SHA-256 (hex) is `sha256`,
    refers to other files, or is nothing that onnxruntime runs.
    """
    data = read(path, sha256)
    try:
        refuse_external(data)
        return onnxruntime.InferenceSession(data, _options(), providers=["CPUExecutionProvider"])
    except ModelError as error:
        raise ModelError(f"{path.name}: {error}") from error
    except Exception as error:  # onnxruntime's own exceptions have no common class but this
        raise ModelError(f"{path.name}: onnxruntime refuses it ({type(error).__name__})") from error


def read(path: Path, sha256: str) -> bytes:
    """The bytes of a file that is known by its SHA-256. Raises `ModelError`."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ModelError(f"{path.name}: {size} bytes are more than a model may have ({MAX_BYTES})")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path.name}: cannot be read ({error.strerror}); `make models` fetches it"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelError(f"{path.name}: its SHA-256 is {found}, expected is {sha256}")
    return data


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ERRORS_ONLY
    options.use_deterministic_compute = True  # a receipt can be run again
    return options
