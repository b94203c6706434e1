"""Opus to AAC on a timeline without holes."""

from __future__ import annotations

import pytest

from recorder.audio import FRAME, PRIMING, RATE, STEP_SAMPLES, AudioTranscoder

from .media import audio

PACKETS = [frame.data for frame in audio(2)]


def push_all(transcoder: AudioTranscoder, ppm: float) -> list[int]:
    """Two minutes whose wall clock runs `ppm` faster than the sample clock; the errors in samples."""
    errors = []
    for n in range(120 * 50):
        position = round(n * 960 * (1 + ppm / 1e6))
        transcoder.push(PACKETS[n % len(PACKETS)], n * 960, position)
        errors.append(position + 960 - transcoder.written)
    return errors


class TestPlacing:
    def test_packets_that_count_on_are_appended(self) -> None:
        transcoder = AudioTranscoder()
        for n, packet in enumerate(PACKETS):
            _, shift = transcoder.push(packet, n * 960, n * 960)
            assert shift == 0
        assert transcoder.written == len(PACKETS) * 960

    def test_a_hole_is_filled_with_exactly_its_length(self) -> None:
        transcoder = AudioTranscoder()
        transcoder.push(PACKETS[0], 0, 0)
        _, shift = transcoder.push(PACKETS[1], 5 * 960, 5 * 960)
        assert shift == 4 * 960
        assert transcoder.written == 6 * 960

    def test_a_late_start_is_silence_before(self) -> None:
        transcoder = AudioTranscoder()
        _, shift = transcoder.push(PACKETS[0], 0, RATE)
        assert shift == RATE

    def test_what_comes_twice_is_left_out(self) -> None:
        transcoder = AudioTranscoder()
        for n, packet in enumerate(PACKETS[:50]):
            transcoder.push(packet, n * 960, n * 960)
        transcoder.source_changed()
        _, shift = transcoder.push(PACKETS[0], 7, 20 * 960)
        assert shift < 0
        assert transcoder.written == 50 * 960

    @pytest.mark.parametrize("ppm", [-200, 200])
    def test_drifting_clocks_are_followed_without_steps(self, ppm: float) -> None:
        errors = push_all(AudioTranscoder(), ppm)
        assert max(map(abs, errors)) < STEP_SAMPLES / 4

    def test_what_is_not_opus_is_refused(self) -> None:
        with pytest.raises(ValueError, match="Opus"):
            AudioTranscoder().push(b"", 0, 0)


class TestPriming:
    def test_the_encoder_gives_one_packet_of_delay(self) -> None:
        transcoder = AudioTranscoder()
        for n, packet in enumerate(PACKETS):
            transcoder.push(packet, n * 960, n * 960)
        transcoder.finish()
        assert transcoder.packets * FRAME - PRIMING >= transcoder.written
        assert transcoder.packets * FRAME - PRIMING - transcoder.written < FRAME

    def test_a_new_encoder_goes_on_where_the_packets_end(self) -> None:
        assert AudioTranscoder(packets=100).written == 100 * FRAME
