// A fan-out in Pion, as its examples write one, to be measured beside ours: one WHIP publisher, any number of
// WHEP viewers, two TrackLocalStaticRTP. ICE-lite and DTLS-passive as ours; each peer has a socket of its own.
//
//	fanout [-interceptors default|none] [-listen 127.0.0.1:0]
//
// Prints {"url": "http://…"} when it listens; POST to /whip and /whep, DELETE the Location.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v3"
)

const maxOffer = 65536

type fanout struct {
	api   *webrtc.API
	audio *webrtc.TrackLocalStaticRTP
	video *webrtc.TrackLocalStaticRTP
	pli   chan struct{}

	mutex sync.Mutex
	peers map[string]*webrtc.PeerConnection
	next  int
}

func newFanout(interceptors string) (*fanout, error) {
	media, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	if interceptors == "default" {
		if err := webrtc.RegisterDefaultInterceptors(media, registry); err != nil {
			return nil, err
		}
	}
	settings := webrtc.SettingEngine{}
	settings.SetLite(true)
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	if err := settings.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return nil, err
	}
	audio, err := webrtc.NewTrackLocalStaticRTP(
		webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "fanout")
	if err != nil {
		return nil, err
	}
	video, err := webrtc.NewTrackLocalStaticRTP(
		webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "video", "fanout")
	if err != nil {
		return nil, err
	}
	return &fanout{
		api: webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry),
			webrtc.WithSettingEngine(settings)),
		audio: audio,
		video: video,
		pli:   make(chan struct{}, 1),
		peers: map[string]*webrtc.PeerConnection{},
	}, nil
}

// publish forwards each packet of the publisher's tracks to all viewers.
func (f *fanout) publish(peer *webrtc.PeerConnection) error {
	peer.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		local := f.audio
		if remote.Kind() == webrtc.RTPCodecTypeVideo {
			local = f.video
			go f.askForKeyframes(peer, remote)
		}
		buffer := make([]byte, 1500)
		for {
			size, _, err := remote.Read(buffer)
			if err != nil {
				return
			}
			if _, err = local.Write(buffer[:size]); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				log.Print(err)
			}
		}
	})
	return nil
}

// askForKeyframes passes viewers' PLIs on, two a second at most.
func (f *fanout) askForKeyframes(peer *webrtc.PeerConnection, remote *webrtc.TrackRemote) {
	for range f.pli {
		pli := &rtcp.PictureLossIndication{MediaSSRC: uint32(remote.SSRC())}
		if err := peer.WriteRTCP([]rtcp.Packet{pli}); err != nil {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func (f *fanout) view(peer *webrtc.PeerConnection) error {
	for _, track := range []*webrtc.TrackLocalStaticRTP{f.audio, f.video} {
		sender, err := peer.AddTrack(track)
		if err != nil {
			return err
		}
		go f.readFeedback(sender)
	}
	return nil
}

// readFeedback has to be: what interceptors do with RTCP, they do while it is read.
func (f *fanout) readFeedback(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			if _, ok := packet.(*rtcp.PictureLossIndication); ok {
				select {
				case f.pli <- struct{}{}:
				default:
				}
			}
		}
	}
}

func (f *fanout) session(start func(*webrtc.PeerConnection) error) http.HandlerFunc {
	return func(answer http.ResponseWriter, request *http.Request) {
		offer, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, maxOffer))
		if err != nil || request.Method != http.MethodPost {
			http.Error(answer, "POST an offer", http.StatusBadRequest)
			return
		}
		peer, sdp, err := f.negotiate(string(offer), start)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		f.mutex.Lock()
		f.next++
		id := fmt.Sprint(f.next)
		f.peers[id] = peer
		f.mutex.Unlock()
		answer.Header().Set("Content-Type", "application/sdp")
		answer.Header().Set("Location", "/session/"+id)
		answer.WriteHeader(http.StatusCreated)
		fmt.Fprint(answer, sdp)
	}
}

func (f *fanout) negotiate(offer string, start func(*webrtc.PeerConnection) error) (
	*webrtc.PeerConnection, string, error) {
	peer, err := f.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, "", err
	}
	err = start(peer)
	if err == nil {
		err = peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer})
	}
	var answer webrtc.SessionDescription
	if err == nil {
		answer, err = peer.CreateAnswer(nil)
	}
	if err == nil {
		gathered := webrtc.GatheringCompletePromise(peer)
		if err = peer.SetLocalDescription(answer); err == nil {
			<-gathered
			return peer, peer.LocalDescription().SDP, nil
		}
	}
	peer.Close()
	return nil, "", err
}

func (f *fanout) leave(answer http.ResponseWriter, request *http.Request) {
	id := strings.TrimPrefix(request.URL.Path, "/session/")
	f.mutex.Lock()
	peer := f.peers[id]
	delete(f.peers, id)
	f.mutex.Unlock()
	if peer == nil || request.Method != http.MethodDelete {
		http.NotFound(answer, request)
		return
	}
	peer.Close()
}

func main() {
	interceptors := flag.String("interceptors", "default", "default or none")
	listen := flag.String("listen", "127.0.0.1:0", "HTTP address")
	flag.Parse()
	f, err := newFanout(*interceptors)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/whip", f.session(f.publish))
	http.HandleFunc("/whep", f.session(f.view))
	http.HandleFunc("/session/", f.leave)
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	ready := map[string]string{"url": "http://" + listener.Addr().String()}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, nil))
}
