package call

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"parley/signal/room"
	"parley/signal/server"
)

// restartable is a rendezvous that can restart without any state.
type restartable struct {
	t    *testing.T
	now  atomic.Pointer[server.Server]
	stop func()
}

func (r *restartable) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.now.Load().ServeHTTP(w, q)
}

func (r *restartable) start() {
	srv, stop := service(r.t)
	r.now.Store(srv)
	r.stop = stop
}

// When the rendezvous restarts without any state, pictures and sound go on over the same connections.
func TestServerRestart(t *testing.T) {
	r := &restartable{t: t}
	r.start()
	h := httptest.NewServer(r)
	t.Cleanup(func() { r.stop(); h.Close() })
	u, err := url.Parse(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	calls := meet(t, u, small, "Ada", "Bo")
	a, b := calls[0], calls[1]
	perceives(t, a, "Bo")
	perceives(t, b, "Ada")
	// Each connection has receivers of its own.
	atA, atB := a.State().Room.Me.ID, b.State().Room.Me.ID
	before := a.voiceOf(atB)

	r.stop()
	eventually(t, "reconnecting", func() bool { return a.State().Phase == Reconnecting && b.State().Phase == Reconnecting })
	perceives(t, a, "Bo")
	r.start()
	eventually(t, "live again", func() bool { return a.State().Phase == Live && b.State().Phase == Live })
	a.Do(Room{room.Say{Text: "still there?"}})
	eventually(t, "chat", func() bool { return len(b.State().Room.Chat) == 1 })
	perceives(t, b, "Ada")
	if before == nil || a.voiceOf(atB) != before || b.voiceOf(atA) == nil {
		t.Error("the connection was torn down")
	}
	if s := a.State(); s.Problem != (Problem{}) || len(s.Peers) != 1 {
		t.Errorf("problem %q, peers %+v", s.Problem, s.Peers)
	}
}
