package load

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/gorilla/websocket"
)

// SocketIO connects members to a Socket.IO server that relays as testdata/socketio does. Packets are those of Engine.IO 4
// and Socket.IO 5: one or two digits for the kind, then JSON. A body is a string of its own size, the cheapest form that
// Socket.IO has.
func SocketIO(url string) Dial {
	return func(ctx context.Context, room int, received func([]byte)) (Member, error) {
		ws, _, err := websocket.DefaultDialer.DialContext(ctx, url, nil)
		if err != nil {
			return nil, err
		}
		m := &socketMember{ws: ws, ended: make(chan struct{})}
		stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
		defer stop()
		if err := m.join(room); err != nil {
			_ = ws.Close()
			return nil, fmt.Errorf("join a room: %w", err)
		}
		go m.read(received)
		return m, nil
	}
}

type socketMember struct {
	ws    *websocket.Conn
	mu    sync.Mutex // writes
	ended chan struct{}
}

// join goes through open (0), connect (40) and an event that the server acknowledges (430).
func (m *socketMember) join(room int) error {
	for _, step := range []struct{ expect, say string }{
		{"0", "40"}, {"40", fmt.Sprintf(`420["join","%d"]`, room)}, {"430", ""},
	} {
		_, text, err := m.ws.ReadMessage()
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(text, []byte(step.expect)) {
			return errors.New("not a Socket.IO server")
		}
		if step.say != "" {
			if err := m.write([]byte(step.say)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *socketMember) write(text []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ws.WriteMessage(websocket.TextMessage, text)
}

const (
	sayHead = `42["m","`
	sayTail = `"]`
)

func (m *socketMember) read(received func([]byte)) {
	defer close(m.ended)
	for {
		_, text, err := m.ws.ReadMessage()
		if err != nil {
			return
		}
		if string(text) == "2" { // ping
			if m.write([]byte("3")) != nil {
				return
			}
			continue
		}
		body, ok := bytes.CutPrefix(text, []byte(sayHead))
		if !ok || len(body) < 2*stampBytes {
			continue
		}
		var stamp [stampBytes]byte
		if _, err := hex.Decode(stamp[:], body[:2*stampBytes]); err == nil {
			received(stamp[:])
		}
	}
}

func (m *socketMember) Say(body []byte) error {
	text := make([]byte, 0, len(sayHead)+len(body)+len(sayTail))
	text = append(text, sayHead...)
	text = hex.AppendEncode(text, body[:stampBytes])
	text = append(text, bytes.Repeat([]byte("x"), len(body)-2*stampBytes)...)
	return m.write(append(text, sayTail...))
}

func (m *socketMember) Close() {
	_ = m.ws.Close()
	<-m.ended
}
