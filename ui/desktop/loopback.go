package desktop

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Where there is no Unix socket, the app listens on a port of 127.0.0.1, which every user of the machine can connect to.
// Its number is in a file that only this user can read, with a secret that is new at each start. Either side proves that
// it knows the secret, without telling it, before a link is sent.

const (
	proofSize  = sha256.Size
	secretSize = 32
)

// proof answers a challenge. Either side has its own label, so that a proof cannot be sent back.
func proof(secret []byte, label string, challenge []byte) []byte {
	h := hmac.New(sha256.New, secret)
	io.WriteString(h, label)
	h.Write(challenge)
	return h.Sum(nil)
}

const appLabel, startLabel = "app", "start"

// listenLoopback listens on a free port and writes it and a new secret into file. The function that it returns reports
// whether a connection is from somebody who knows the secret; the connection has a deadline.
func listenLoopback(file string) (net.Listener, func(net.Conn) bool, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	secret := make([]byte, secretSize)
	rand.Read(secret)
	if err := writeWhole(file, fmt.Sprintf("%s %x\n", l.Addr(), secret)); err != nil {
		l.Close()
		return nil, nil, err
	}
	admits := func(c net.Conn) bool {
		challenge := make([]byte, proofSize)
		if _, err := io.ReadFull(c, challenge); err != nil {
			return false
		}
		own := make([]byte, proofSize)
		rand.Read(own)
		if _, err := c.Write(append(proof(secret, appLabel, challenge), own...)); err != nil {
			return false
		}
		answer := make([]byte, proofSize)
		_, err := io.ReadFull(c, answer)
		return err == nil && hmac.Equal(answer, proof(secret, startLabel, own))
	}
	return l, admits, nil
}

// writeWhole writes a file that only this user can read, so that nobody ever reads half of it.
func writeWhole(file, text string) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".port-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

var errStranger = errors.New("another program listens for links")

// dialLoopback reaches the app that wrote file. A program that has taken over its port since then is errStranger.
func dialLoopback(ctx context.Context, file string) (_ net.Conn, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var address, hexed string
	if _, err := fmt.Sscan(string(text), &address, &hexed); err != nil {
		return nil, fmt.Errorf("%s is damaged", file)
	}
	secret, err := hex.DecodeString(hexed)
	if err != nil || len(secret) != secretSize {
		return nil, fmt.Errorf("%s is damaged", file)
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp4", address)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, err
	}
	challenge := make([]byte, proofSize)
	rand.Read(challenge)
	if _, err := c.Write(challenge); err != nil {
		return nil, err
	}
	answer := make([]byte, 2*proofSize)
	if _, err := io.ReadFull(c, answer); err != nil {
		return nil, fmt.Errorf("the app that runs does not answer: %w", err)
	}
	if !hmac.Equal(answer[:proofSize], proof(secret, appLabel, challenge)) {
		return nil, errStranger
	}
	_, err = c.Write(proof(secret, startLabel, answer[proofSize:]))
	return c, err
}
