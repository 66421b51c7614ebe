// Package trust recognises people who come back: a key of this installation vouches for the keys of each meeting, and a
// book remembers the keys of others and whom the user has verified.
package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"parley/signal/identity"
)

// header is the first line of a key's file.
const header = "parley device key v1\n"

// asideSuffix is of a key's file that is not used any more.
const asideSuffix = ".old"

// Device is the key of this installation. Unlike an identity it stays the same, so whoever is shown it can tell that the
// same person was in two meetings.
type Device struct{ key ed25519.PrivateKey }

// Open reads the key of a file, and makes a new one if there is none. A file that is damaged, or that others could read, is
// kept beside it under another name; then warning says so in one line, for the log.
func Open(file string) (d *Device, warning, err error) {
	seed, err := readSeed(file)
	switch {
	case err == nil:
		return &Device{ed25519.NewKeyFromSeed(seed)}, nil, nil
	case errors.Is(err, errUnusable):
		warning = fmt.Errorf("%w: it is kept as %s, and people you have verified will not recognise this device", err, file+asideSuffix)
		if err := os.Rename(file, file+asideSuffix); err != nil {
			return nil, nil, fmt.Errorf("put the old device key aside: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("read the device key: %w", err)
	}
	fresh := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(fresh) // never fails: crypto/rand ends the program instead
	if err := writeSeed(file, fresh); err != nil {
		return nil, warning, fmt.Errorf("write the device key: %w", err)
	}
	if seed, err = readSeed(file); err != nil { // another window may have been first
		return nil, warning, fmt.Errorf("read the new device key: %w", err)
	}
	return &Device{ed25519.NewKeyFromSeed(seed)}, warning, nil
}

// errUnusable says that there is a key, but not a secret one. Errors never quote the file.
var errUnusable = errors.New("the device key cannot be used")

func readSeed(file string) ([]byte, error) {
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: it is not a file", errUnusable)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%w: others could read it", errUnusable)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return nil, err
	}
	text, ours := bytes.CutPrefix(text, []byte(header))
	seed, err := base64.StdEncoding.Strict().DecodeString(string(bytes.TrimSuffix(text, []byte("\n"))))
	if !ours || err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%w: it is damaged", errUnusable)
	}
	return seed, nil
}

// writeSeed makes the file as a whole. One that has appeared in the meantime stays.
func writeSeed(file string, seed []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".device-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(header + base64.StdEncoding.EncodeToString(seed) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Link(f.Name(), file); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(f.Name(), file) // a file system without hard links
}

// Key is the public key, by which others know the device.
func (d *Device) Key() Key { return Key(d.key[ed25519.SeedSize:]) }

// Vouch says that the keys are those of this device's user in one meeting.
func (d *Device) Vouch(room string, keys identity.Public) Voucher {
	return Voucher{d.Key(), [identity.SignatureBytes]byte(ed25519.Sign(d.key, statement(room, keys)))}
}

// String hides the key from whoever prints it.
func (d *Device) String() string { return "[keys]" }

// GoString hides the key from %#v as well.
func (d *Device) GoString() string { return "[keys]" }

// Key is the public key of a device, Ed25519.
type Key [identity.KeyBytes]byte

// Voucher is a device's signature over the keys that its user has in one meeting. The zero Voucher is none.
type Voucher struct {
	Key Key
	Sig [identity.SignatureBytes]byte
}

// Verify reports whether the device has vouched for the keys in that room.
func (v Voucher) Verify(room string, keys identity.Public) bool {
	return identity.Public{Sign: v.Key}.Verify(statement(room, keys), v.Sig[:])
}

// statement is the bytes under a voucher's signature.
func statement(room string, keys identity.Public) []byte {
	b := append([]byte("parley device v2\x00"), byte(min(len(room), 255)))
	b = append(b, room...)
	return append(append(b, keys.Sign[:]...), keys.DH[:]...)
}

// MarshalText writes key and signature in base64url, 128 characters.
func (v Voucher) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(append(v.Key[:], v.Sig[:]...))), nil
}

// UnmarshalText reads what MarshalText has written.
func (v *Voucher) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(raw) != len(v.Key)+len(v.Sig) {
		return errors.New("a voucher is not one")
	}
	copy(v.Key[:], raw)
	copy(v.Sig[:], raw[len(v.Key):])
	return nil
}

// MarshalText writes the key in base64url, 43 characters.
func (k Key) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(k[:])), nil
}

// UnmarshalText reads what MarshalText has written.
func (k *Key) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(raw) != len(k) {
		return errors.New("a device's key is not one")
	}
	copy(k[:], raw)
	return nil
}
