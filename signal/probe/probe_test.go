package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"parley/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site serves answer for every request.
func site(t *testing.T, answer http.HandlerFunc) *url.URL {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestWeb names what answers in the place of a healthy server, and clocks that differ.
func TestWeb(t *testing.T) {
	ok := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		ahead  time.Duration // of our clock
		ok     bool
		want   string
	}{
		"healthy": {ok, 0, true, "clocks agree"},
		"ahead":   {ok, time.Hour, false, "this clock is 1h0m0s ahead of the server's"},
		"behind":  {ok, -time.Hour, false, "behind the server's"},
		"sign-in": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, 0, false, "something else answers"},
		"404":     {http.NotFound, 0, false, "HTTP 404"},
		"full":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 0, false, "takes nobody now"},
	} {
		t.Run(name, func(t *testing.T) {
			// The Date header has whole seconds.
			p := &prober{Config: Config{Server: site(t, c.answer), now: func() time.Time { return time.Now().Add(c.ahead).Truncate(time.Second) }}}
			if got := p.try(t.Context(), "web", p.web); got != c.ok {
				t.Error("ok is", got)
			}
			check := p.report.Checks[0]
			if !strings.Contains(check.Detail, c.want) && !strings.HasPrefix(check.Detail, "this clock is 59m59s") {
				t.Errorf("said %q, want %q in it", check.Detail, c.want)
			}
			if !c.ok && check.Advice == "" {
				t.Error("no advice")
			}
		})
	}
}

// TestRedirects asks port 80.
func TestRedirects(t *testing.T) {
	for want, answer := range map[string]http.HandlerFunc{
		"leads to https": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://a.example/", http.StatusMovedPermanently)
		},
		"no redirect to": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
	} {
		p := &prober{Config: Config{plain: site(t, answer).Host}}
		p.try(t.Context(), "port 80", p.redirects)
		if c := p.report.Checks[0]; !strings.Contains(c.Detail, want) || c.OK != (c.Advice == "") {
			t.Errorf("%+v, want %q", c, want)
		}
	}
}

// TestNoServer has something else at the address, and nothing at all.
func TestNoServer(t *testing.T) {
	page := site(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	gone := site(t, http.NotFound)
	gone.Host = "127.0.0.1:1"
	for name, u := range map[string]*url.URL{"a page": page, "nothing": gone} {
		r := Run(t.Context(), Config{Server: u})
		if r.OK || !strings.Contains(r.Verdict, "cannot be used") {
			t.Errorf("%s: %+v", name, r)
		}
		var people, programs bytes.Buffer
		r.Print(&people)
		if !strings.Contains(people.String(), "> ") || !strings.HasSuffix(people.String(), r.Verdict+"\n") {
			t.Errorf("%s: printed %s", name, people.String())
		}
		var back Report
		if err := r.PrintJSON(&programs); err != nil || json.Unmarshal(programs.Bytes(), &back) != nil || back.Verdict != r.Verdict {
			t.Errorf("%s: %v: %s", name, err, programs.String())
		}
	}
}

// TestOtherVersions has services that are older and newer than this program, and says which of the two to update.
func TestOtherVersions(t *testing.T) {
	for protocol, want := range map[string]string{signal.Subprotocol1: "update the service", signal.Subprotocol: "update this program"} {
		up := websocket.Upgrader{Subprotocols: []string{protocol}}
		r := Run(t.Context(), Config{Server: site(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != signal.SocketPath {
				fmt.Fprintln(w, "ok")
				return
			}
			conn, err := up.Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.WriteMessage(websocket.TextMessage, signal.Encode(signal.Challenge{Version: signal.Version + 1}))
			_, _, _ = conn.ReadMessage()
		})})
		if i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Advice == want }); r.OK || i < 0 {
			t.Errorf("%s: %+v", protocol, r)
		}
	}
}
