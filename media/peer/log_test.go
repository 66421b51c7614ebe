package peer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"

	"parley/media/congestion"
	"parley/media/transport"
)

// failing is a closed network that still delivers one packet.
type failing struct{ packet []byte }

func (f failing) Write([]rtcp.Packet, interceptor.Attributes) (int, error) {
	return 0, io.ErrClosedPipe
}

func (f failing) Read(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
	return copy(b, f.packet), a, nil
}

// TestInterceptorsTellOurLog: failures to send reports go to our log, not to Pion's.
func TestInterceptorsTellOurLog(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	synctest.Test(t, func(t *testing.T) {
		registry, err := interceptors(congestion.NewSender(congestion.Config{}, nil), pionLog{l})
		if err != nil {
			t.Fatal(err)
		}
		chain, err := registry.Build("")
		if err != nil {
			t.Fatal(err)
		}
		header := rtp.Header{Version: 2, SSRC: 1, SequenceNumber: 1}
		if err := header.SetExtension(1, []byte{0, 1}); err != nil { // its transport-wide number
			t.Fatal(err)
		}
		packet, err := (&rtp.Packet{Header: header, Payload: []byte{1}}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		chain.BindRTCPWriter(failing{})
		in := chain.BindRemoteStream(&interceptor.StreamInfo{
			SSRC: 1, ClockRate: 90000, RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: sdp.TransportCCURI, ID: 1}},
		}, failing{packet})
		if _, _, err := in.Read(make([]byte, 1500), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := chain.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, scope := range []string{"scope=twcc", "scope=receiver"} {
		if !strings.Contains(out.String(), scope) {
			t.Errorf("no %s in the log:\n%s", scope, &out)
		}
	}
	if strings.Contains(out.String(), io.ErrClosedPipe.Error()) {
		t.Errorf("an error in the log:\n%s", &out)
	}
}

// TestConnectionTellsOurLog: so do all other messages of a connection.
func TestConnectionTellsOurLog(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	pc, err := newConnection(t.Context(), Config{Log: l}, transport.Route{}, congestion.NewSender(congestion.Config{}, nil), false)
	if err != nil {
		t.Fatal(err)
	}
	cfg := pc.GetConfiguration()
	cfg.ICECandidatePoolSize = 1 // Pion warns that it does not do that
	if err := errors.Join(pc.SetConfiguration(cfg), pc.Close()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "scope=pc") {
		t.Errorf("no warning in our log:\n%s", &out)
	}
}

// TestPionTellsNoSecret: Pion's messages appear at debug level, without values.
func TestPionTellsNoSecret(t *testing.T) {
	var out bytes.Buffer
	var f logging.LoggerFactory = pionLog{slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	const secret = "192.0.2.1"
	err := errors.New(secret)
	l := f.NewLogger("ice")
	l.Trace(secret)
	l.Tracef("to %s", secret)
	l.Debug(secret)
	l.Debugf("to %s", secret)
	l.Info(secret)
	l.Infof("to %s", secret)
	if out.Len() > 0 {
		t.Errorf("below a warning: %s", &out)
	}
	l.Warn(fmt.Sprint("no way to ", secret))
	l.Warnf("no way to %s", secret)
	l.Error(err.Error())
	l.Errorf("no way: %v", err)
	if n := strings.Count(out.String(), "level=DEBUG"); n != 4 || n != strings.Count(out.String(), "scope=ice") {
		t.Errorf("4 messages became:\n%s", &out)
	}
	if strings.Contains(out.String(), secret) {
		t.Errorf("an address in the log:\n%s", &out)
	}
}
