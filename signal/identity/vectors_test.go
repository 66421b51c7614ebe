package identity

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"parley/signal"
)

// update rewrites what the vectors' outputs are. Do so only together with a new version of the protocol.
var update = flag.Bool("update", false, "rewrite the golden vectors in signal/testdata")

// joinVector is a join with everything it is made of. Of Join, what a client chooses is input, and the rest is output.
type joinVector struct {
	Name    string          `json:"name"`
	Code    signal.Code     `json:"code"`
	Seed    string          `json:"seed"`    // hex
	Scalar  string          `json:"scalar"`  // hex
	Nonce   string          `json:"nonce"`   // hex
	Message string          `json:"message"` // hex: what is signed
	Join    json.RawMessage `json:"join"`    // the frame
}

// chosen is what a client chooses of a join.
type chosen struct {
	N       uint64 `json:"n"`
	Session string `json:"session"`
	Last    uint64 `json:"last"`
}

func TestJoinVectors(t *testing.T) {
	path := filepath.Join("..", "testdata", "joins.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Joins []joinVector `json:"joins"`
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Joins) == 0 {
		t.Fatalf("%d vectors, %v", len(file.Joins), err)
	}
	for i := range file.Joins {
		v := &file.Joins[i]
		var c chosen
		if err := json.Unmarshal(v.Join, &c); err != nil {
			t.Fatal(err)
		}
		nonce := unhex(t, v.Nonce)
		me := FromSeeds([KeyBytes]byte(unhex(t, v.Seed)), [KeyBytes]byte(unhex(t, v.Scalar)))
		join := me.Join(signal.Derive(v.Code), nonce, signal.Join{Try: c.N, Version: signal.Version, Session: c.Session, Last: c.Last})
		if err := CheckJoin(nonce, join); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		frame, message := signal.Encode(join), hex.EncodeToString(JoinMessage(nonce, join))
		if *update {
			v.Join, v.Message = frame, message
			continue
		}
		if message != v.Message {
			t.Errorf("%s signs %s, want %s", v.Name, message, v.Message)
		}
		if want, err := signal.Decode(v.Join); err != nil || string(signal.Encode(want)) != string(frame) {
			t.Errorf("%s is\n%s, want\n%s", v.Name, frame, v.Join)
		}
	}
	if *update {
		text, err := json.MarshalIndent(file, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
