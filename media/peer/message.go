package peer

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pion/webrtc/v4"

	"parley/media"
	"parley/media/pipe"
)

// message is what two peers say to each other to get connected. It travels sealed through
// the rendezvous and is an object of signal/PROTOCOL.md's "call" payload.
type message struct {
	// Conn names one attempt to connect. The offerer draws it. Messages of other attempts are
	// stale and ignored.
	Conn      string                   `json:"conn"`
	Type      messageType              `json:"type"`
	SDP       string                   `json:"sdp,omitempty"`
	Candidate *webrtc.ICECandidateInit `json:"candidate,omitempty"`
}

type messageType string

const (
	typeOffer     messageType = "offer"
	typeAnswer    messageType = "answer"
	typeCandidate messageType = "candidate"
	typeRestart   messageType = "restart" // the answerer asks for an ICE restart
)

var errMessage = errors.New("call message makes no sense")

func parseMessage(payload []byte) (message, error) {
	var m message
	if err := json.Unmarshal(payload, &m); err != nil {
		return m, errMessage // the JSON error would quote the payload
	}
	ok := m.Conn != "" && len(m.Conn) <= 32
	switch m.Type {
	case typeOffer, typeAnswer:
		ok = ok && m.SDP != ""
	case typeCandidate:
		ok = ok && m.Candidate != nil
	case typeRestart:
	default:
		ok = false
	}
	if !ok {
		return m, errMessage
	}
	return m, nil
}

// offerName is the connection that an offer names; it is empty for any other message.
func offerName(payload []byte) (conn string) {
	m, err := parseMessage(payload)
	if err != nil || m.Type != typeOffer {
		return ""
	}
	return m.Conn
}

func (m message) encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("peer: encode message: %v", err)) // strings always encode
	}
	return b
}

// Want is the size in pixels at which a side shows the other's pictures. It travels on the data channel.
type Want struct {
	Camera [2]int `json:"camera"`
	Screen [2]int `json:"screen"`
	// HalfRate asks for every second frame of the camera, because the receiver is busy.
	HalfRate bool `json:"half,omitempty"`
}

// size is the size at which the picture of this kind is shown.
func (w Want) size(k media.Kind) pipe.Size {
	switch k {
	case media.Camera:
		return pipe.Size{W: w.Camera[0], H: w.Camera[1]}
	case media.Screen:
		return pipe.Size{W: w.Screen[0], H: w.Screen[1]}
	}
	return pipe.Size{}
}
