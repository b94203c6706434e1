#!/usr/bin/python3
"""A WHIP publisher and WHEP viewer made of GStreamer's webrtcbin, as OBS-like programs are; until SIGTERM.

    gst_client.py publish|view URL TOKEN [--codec h264|vp8]

Runs on Debian's Python with python3-gi alone. Prints JSON lines: "connected", "error", "left",
and every 500 ms "progress" with "frames", "audio", "sent_packets", "codec" and "size".
It does not trickle: all candidates go into the offer.
"""

import argparse
import json
import signal
import sys
import threading
import urllib.error
import urllib.request
from urllib.parse import urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

ENCODERS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=50 bitrate=800"
    " ! video/x-h264,profile=constrained-baseline"
    " ! rtph264pay config-interval=-1 aggregate-mode=zero-latency pt=96"
    " ! application/x-rtp,media=video,encoding-name=H264,payload=96",
    "vp8": "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=50 target-bitrate=800000"
    " ! rtpvp8pay pt=96 ! application/x-rtp,media=video,encoding-name=VP8,payload=96",
}
SOURCES = (
    "webrtcbin name=peer bundle-policy=max-bundle"
    " audiotestsrc is-live=true wave=sine freq=440 volume=0.3 ! audioconvert ! audioresample ! opusenc"
    " ! rtpopuspay pt=97 ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! queue ! peer."
    " videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=25/1"
    " ! videoconvert ! video/x-raw,format=I420 ! queue ! "
)
WANTED = (
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2",
    "application/x-rtp,media=video,encoding-name=H264,payload=102,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f,rtcp-fb-nack=true,rtcp-fb-nack-pli=true;"
    "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000,"
    "rtcp-fb-nack=true,rtcp-fb-nack-pli=true",
)


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


class Client:
    def __init__(self, mode, url, token, codec):
        self.mode, self.url, self.token = mode, url, token
        self.seen = {"frames": 0, "audio": 0, "sent_packets": 0, "codec": None, "size": None}
        self.resource = None
        self.posted = False
        self.loop = GLib.MainLoop()
        self.code = 0
        if mode == "publish":
            self.pipeline = Gst.parse_launch(SOURCES + ENCODERS[codec] + " ! peer.")
            self.peer = self.pipeline.get_by_name("peer")
            self.seen["codec"] = codec
            for number in range(2):
                line = self.peer.emit("get-transceiver", number)
                line.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
            for sink in self.peer.sinkpads:
                sink.add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, self.count_sent)
        else:
            self.pipeline = Gst.Pipeline.new()
            self.peer = Gst.ElementFactory.make("webrtcbin", "peer")
            self.peer.set_property("bundle-policy", "max-bundle")
            self.pipeline.add(self.peer)
            receive = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            for caps in WANTED:
                self.peer.emit("add-transceiver", receive, Gst.Caps.from_string(caps))
            self.peer.connect("pad-added", self.media_arrived)
        self.peer.connect("notify::connection-state", self.state_changed)
        self.peer.connect("notify::ice-gathering-state", self.gathering_changed)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _bus, message: self.fail(message.parse_error()[0].message))

    def run(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, self.loop.quit)
        GLib.timeout_add(500, self.progress)
        self.pipeline.set_state(Gst.State.PLAYING)
        GLib.idle_add(self.offer)
        self.loop.run()
        self.leave()
        self.pipeline.set_state(Gst.State.NULL)
        return self.code

    def fail(self, reason):
        say("error", detail=str(reason))
        self.code = 1
        self.loop.quit()

    def progress(self):
        say("progress", **self.seen)
        return True

    def count_sent(self, _pad, info):
        buffers = info.get_buffer_list() if info.type & Gst.PadProbeType.BUFFER_LIST else None
        self.seen["sent_packets"] += buffers.length() if buffers else 1
        return Gst.PadProbeReturn.OK

    # -- offer and answer

    def offer(self):
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))
        return False

    def offered(self, promise):
        # The reply owns the offer: it must be kept until the offer has been used.
        reply = promise.get_reply()
        self.peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def gathering_changed(self, *_):
        done = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if self.peer.get_property("ice-gathering-state") == done and not self.posted:
            self.posted = True
            threading.Thread(target=self.post, daemon=True).start()

    def request(self, method, url, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/sdp"}
        return urllib.request.urlopen(
            urllib.request.Request(url, data=body, headers=headers, method=method), timeout=10
        )

    def post(self):
        try:
            sdp = self.peer.get_property("local-description").sdp.as_text()
            with self.request("POST", self.url, sdp.encode()) as response:
                self.resource = urljoin(self.url, response.headers["Location"])
                answer = response.read()
        except urllib.error.HTTPError as refusal:
            GLib.idle_add(self.fail, f"HTTP {refusal.code}: {refusal.read()[:300]}")
            return
        except OSError as error:
            GLib.idle_add(self.fail, error)
            return
        _, message = GstSdp.SDPMessage.new_from_text(answer.decode())
        described = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.peer.emit("set-remote-description", described, Gst.Promise.new())

    def state_changed(self, *_):
        state = self.peer.get_property("connection-state").value_nick
        if state in ("connected", "failed", "disconnected"):
            say(state)

    def leave(self):
        if self.resource:
            try:
                with self.request("DELETE", self.resource) as response:
                    say("left", status=response.status)
            except OSError as error:
                say("left", status=0, detail=str(error))

    # -- media that arrives

    def media_arrived(self, _peer, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        structure = pad.get_current_caps().get_structure(0)
        if structure.get_string("media") == "video":
            self.seen["codec"] = structure.get_string("encoding-name").lower()
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", self.decoded)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def decoded(self, _decoder, pad):
        structure = pad.get_current_caps().get_structure(0)
        kind = "frames" if structure.get_name().startswith("video") else "audio"
        if kind == "frames":
            self.seen["size"] = f"{structure.get_value('width')}x{structure.get_value('height')}"
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("sync", False)
        sink.set_property("signal-handoffs", True)
        sink.connect("handoff", lambda *_: self.seen.__setitem__(kind, self.seen[kind] + 1))
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mode", choices=["publish", "view"])
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--codec", choices=sorted(ENCODERS), default="h264")
    options = parser.parse_args()
    Gst.init(None)
    sys.exit(Client(options.mode, options.url, options.token, options.codec).run())
