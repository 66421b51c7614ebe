package signal

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const someID = ID("AAAAAAAAAAAAAAAA")

func someFrames() []Frame {
	session, key, proof := strings.Repeat("s", 16), make([]byte, publicBytes), make([]byte, signatureBytes)
	join := Join{Try: 1, Version: Version, Room: "AAECAwQFBgcICQoLDA0ODw", ID: someID, Admit: key, Sign: key, DH: key, Knows: proof, Owns: proof}
	again := join
	again.Session, again.Last = session, MaxNumber
	return []Frame{
		Challenge{Version: Version, Nonce: make([]byte, NonceBytes)},
		join,
		again,
		Welcome{Version: Version, Session: session, Resumed: true, Last: 7, Members: []ID{someID}, ICE: someServers()},
		Joined{N: 1, ID: someID},
		Left{N: 2, ID: someID},
		Send{N: 3, To: someID, Seq: 4, Body: []byte{0, 1, 255}},
		Send{N: 3, Seq: 4, Body: make([]byte, MaxBody)},
		Message{N: MaxNumber, From: someID, To: someID, Seq: MaxNumber, Body: make([]byte, MaxBody)},
		Ack{N: 5},
		Ping{},
		Ping{ICE: someServers()},
		Pong{},
		Leave{},
		Error{Code: CodeRefused, Text: "text"},
	}
}

func someServers() []ICEServer {
	return []ICEServer{
		{URLs: []string{"stun:[2001:db8::1]:3478"}},
		{URLs: []string{"turn:a.example:3478", "turns:a.example:443?transport=tcp"}, Username: "1:a", Credential: "b+/=", TTL: 7200},
	}
}

func TestFramesSurviveTheWire(t *testing.T) {
	for _, f := range someFrames() {
		text := Encode(f)
		if len(text) > MaxFrame {
			t.Errorf("%T of %d bytes", f, len(text))
		}
		got, err := Decode(text)
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("%T: %+v, %v", f, got, err)
		}
	}
}

func TestDecodeTolerates(t *testing.T) {
	for _, text := range []string{
		`{"t":"ping","later":{"x":[1,2]}}`,
		` { "n" : 1 , "t" : "ack" } `,
		`{"t":"join","v":3,"everything":"else"}`, // so that a refusal can name the version
		`{"t":"error","code":"new-code","text":""}`,
		`{"t":"ping","ice":[{"urls":["turn2:later"],"more":{"x":1}}]}`,
	} {
		if _, err := Decode([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := strings.Repeat("x", MaxText+1)
	tooMany := `"` + strings.Repeat(string(someID)+`","`, MaxMembers) + string(someID) + `"`
	for text, want := range map[string]error{
		``:                                      ErrInvalid,
		`null`:                                  ErrType,
		`[]`:                                    ErrInvalid,
		`{}`:                                    ErrType,
		`{"t":"pong"} {}`:                       ErrInvalid,
		`{"t":"shout"}`:                         ErrType,
		`{"t":1}`:                               ErrInvalid,
		"{\"t\":\"ping\xff\"}":                  ErrInvalid,
		`{"t":"ack"}`:                           ErrInvalid,
		`{"t":"ack","n":-1}`:                    ErrInvalid,
		`{"t":"ack","n":1.5}`:                   ErrInvalid,
		`{"t":"ack","n":1e400}`:                 ErrInvalid,
		`{"t":"ack","n":9007199254740992}`:      ErrInvalid,
		`{"t":"joined","n":1,"id":"x"}`:         ErrInvalid,
		`{"t":"send","n":1,"seq":1}`:            ErrInvalid,
		`{"t":"send","n":1,"body":"AA=="}`:      ErrInvalid,
		`{"t":"send","n":1,"seq":1,"body":"?"}`: ErrInvalid,
		`{"t":"send","n":1,"seq":1,"to":"x","body":"AA=="}`: ErrInvalid,
		`{"t":"message","n":1,"seq":1,"body":"AA=="}`:       ErrInvalid,
		`{"t":"challenge"}`:                      ErrInvalid,
		`{"t":"challenge","v":2}`:                ErrInvalid,
		`{"t":"challenge","v":2,"nonce":"AAAA"}`: ErrInvalid,
		`{"t":"join"}`:                           ErrInvalid,
		`{"t":"join","v":2,"room":"x"}`:          ErrInvalid,
		`{"t":"welcome","v":2}`:                  ErrInvalid,
		`{"t":"welcome","v":2,"session":"AAAAAAAAAAAAAAAA","members":["x"]}`:             ErrInvalid,
		`{"t":"welcome","v":2,"session":"AAAAAAAAAAAAAAAA","members":[` + tooMany + `]}`: ErrInvalid,
		`{"t":"error"}`:                                      ErrInvalid,
		`{"t":"ping","ice":[{"urls":[]}]}`:                   ErrInvalid,
		`{"t":"ping","ice":"turn:a"}`:                        ErrInvalid,
		`{"t":"ping","ice":[{"urls":["turn:a"],"ttl":-1}]}`:  ErrInvalid,
		`{"t":"ping","ice":[{"urls":["turn:a"],"ttl":1e9}]}`: ErrInvalid,
		`{"t":"ping","ice":[{"urls":["turn:a\n"]}]}`:         ErrInvalid,
		`{"t":"ping","ice":[{"urls":["turn:a"],"username":"` + strings.Repeat("x", maxICEText+1) + `"}]}`:       ErrInvalid,
		`{"t":"ping","ice":[` + strings.Repeat(`{"urls":["turn:a"]},`, maxICEServers) + `{"urls":["turn:a"]}]}`: ErrInvalid,
		`{"t":"welcome","v":2,"session":"AAAAAAAAAAAAAAAA","ice":[{"urls":["a b"]}]}`:                           ErrInvalid,
		`{"t":"error","code":"x","text":"` + long + `"}`:                                                        ErrInvalid,
		string(Encode(Send{N: 1, Seq: 1, Body: make([]byte, MaxBody+1)})):                                       ErrInvalid,
		strings.Repeat(" ", MaxFrame+1):                                                                         ErrTooLarge,
	} {
		if f, err := Decode([]byte(text)); !errors.Is(err, want) || f != nil {
			t.Errorf("%.60s: %v, %v, want %v", text, f, err, want)
		}
	}
}

// A join is read whole or not at all: each of its fields missing, too short, too long or of another kind is refused.
func TestBrokenJoins(t *testing.T) {
	whole := map[string]any{}
	for _, f := range someFrames() {
		if j, ok := f.(Join); ok && j.Session != "" {
			if err := json.Unmarshal(Encode(j), &whole); err != nil {
				t.Fatal(err)
			}
		}
	}
	refuses := func(field string, value any) {
		broken := maps.Clone(whole)
		if broken[field] = value; value == nil {
			delete(broken, field)
		}
		text, err := json.Marshal(broken)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := Decode(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, %v", text, f, err)
		}
	}
	for field := range whole {
		switch field {
		case "t", "last", "session":
		default:
			refuses(field, nil)
		}
		if text, ok := whole[field].(string); ok && field != "t" {
			refuses(field, text[4:])
			refuses(field, text+text)
			refuses(field, 7)
		}
	}
	if len(whole) != 12 {
		t.Errorf("a join of %d fields was tried", len(whole))
	}
}

// A credential is written on the wire and nowhere else.
func TestSecretsAreNotShown(t *testing.T) {
	w := Welcome{ICE: someServers()}
	var log strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "credential", w.ICE[1].Credential, "text", fmt.Sprint(w))
	}
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "welcome", w, "ice", w.ICE)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&log, verb, w)
		fmt.Fprintf(&log, verb, w.ICE[1].Credential)
	}
	if strings.Contains(log.String(), string(w.ICE[1].Credential)) {
		t.Errorf("a credential in %s", log.String())
	}
	if !strings.Contains(string(Encode(w)), `"credential":"b+/="`) {
		t.Errorf("no credential in %s", Encode(w))
	}
}

func FuzzDecode(f *testing.F) {
	for _, frame := range someFrames() {
		if text := Encode(frame); len(text) < 1000 {
			f.Add(text)
		}
	}
	for _, text := range []string{`{"t":"ping","x":1}`, `{"t":"ack","n":9007199254740992}`, `{"t":"send","body":"A"}`, "\xff", `[[[[`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		frame, err := Decode(text)
		if err != nil {
			if frame != nil || !(errors.Is(err, ErrInvalid) || errors.Is(err, ErrType) || errors.Is(err, ErrTooLarge)) {
				t.Fatalf("%v with %v", frame, err)
			}
			return
		}
		again, err := Decode(Encode(frame))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(frame) {
			t.Fatalf("%+v became %+v, %v", frame, again, err)
		}
	})
}

func FuzzParseLink(f *testing.F) {
	for _, text := range []string{
		"https://meet.example.org/#7k3m-q9xt-2w8p", "http://192.168.1.5:8443/#7K3MQ9XT2W8P", "parley://[::1]:8443/#7k3m q9xt 2w8p",
		"7k3m-q9xt-2w8p", "7k3m-q9xt-2w8p-c4fe-9k2m-x7p0", "https://a.example/#7k3mq9xt2w8p-\nc4fe9k2mx7p0 then", "", "https://", "parley://h/#", "https://a%20b/#7k3m-q9xt-2w8p", "https://h:0/#7k3m-q9xt-2w8p", "https://[fe80::1%25eth0]/#7k3mq9xt2w8p",
		"https://a.example/meet/#7k3m-q9xt-2w8p&at=[::1]:1&at=b.example", "<https://a.example/#7k3m-q9xt-2w8p|x> (7k3mq9xt2w8p)", "meet.example.org:1/x/#7k3m\n-q9xt-2w8p",
		"https://urldefense.com/v3/__https:/a.example**A7k3m-q9xt-2w8p__;LyM!!x!y$", "http://u/?url=https%3A%2F%2Fa.example%2F%25237k3m-q9xt-2w8p&amp;x", "parley:7k3m-q9xt-2w8p &#35;",
		"http://" + strings.Repeat("\xce", 400) + "#000000000000", "http://" + strings.Repeat("\u03a9", 400) + "#000000000000",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		link, err := ParseLink(text, nil)
		if err != nil {
			var several *Ambiguous
			if errors.As(err, &several) && len(several.Links) > 1 {
				for _, l := range several.Links {
					reparses(t, text, l)
				}
			} else if !(errors.Is(err, ErrLink) || errors.Is(err, ErrCode) || errors.Is(err, ErrNoServer)) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		reparses(t, text, link)
	})
}

// reparses holds that a link which was found is found again in what is made of it.
func reparses(t *testing.T, text string, link Link) {
	t.Helper()
	again, err := ParseLink(link.String(), nil)
	if err != nil || again.String() != link.String() {
		t.Fatalf("%q became %q, then %v", text, link, err)
	}
	if deep, err := ParseLink(link.DeepLink(), nil); err != nil || deep.Code != link.Code || deep.Server.Host != link.Server.Host || deep.Server.Path != link.Server.Path || !slices.Equal(deep.At, link.At) {
		t.Fatalf("deep link of %q: %v", text, err)
	}
	if server, err := ParseServer(link.Server.String()); err != nil || server.String() != link.Server.String() {
		t.Fatalf("server of %q: %v", text, err)
	}
}
