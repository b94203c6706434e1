"""Log mel filter banks, what recognisers of speech are fed with; as Kaldi computes them, without dither."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
_WINDOW, _HOP = 400, 160  # samples: 25 and 10 ms
_FFT = 512
_PREEMPHASIS = 0.97
_LOWEST_HZ = 20.0
_FLOOR = float(np.finfo(np.float32).eps)

Sound = NDArray[np.int16]
Features = NDArray[np.float32]


def fbank(samples: NDArray[np.float32], bins: int) -> Features:
    """(frames, bins) of samples at 16 kHz, one frame each 10 ms; none for less than 25 ms."""
    count = 1 + (len(samples) - _WINDOW) // _HOP
    if count < 1:
        return np.zeros((0, bins), dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames[:, 1:] -= _PREEMPHASIS * frames[:, :-1]
    frames[:, 0] *= 1 - _PREEMPHASIS
    power = np.abs(np.fft.rfft(frames * _window(), _FFT)) ** 2
    features: Features = np.log(np.maximum(power @ _filters(bins).T, _FLOOR)).astype(np.float32)
    return features


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float64]:
    """Povey's: Hann's to the power of 0.85."""
    hann: NDArray[np.float64] = np.hanning(_WINDOW) ** 0.85
    return hann


@lru_cache(maxsize=4)
def _filters(bins: int) -> NDArray[np.float64]:
    """(bins, frequencies): triangles that are even on the mel scale."""
    edges = np.linspace(_mel(np.array(_LOWEST_HZ)), _mel(np.array(RATE / 2)), bins + 2)
    places = _mel(np.arange(_FFT // 2 + 1) * RATE / _FFT)
    rising = (places - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - places) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0.0, np.minimum(rising, falling))


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    mel: NDArray[np.float64] = 1127.0 * np.log1p(hz / 700.0)
    return mel
