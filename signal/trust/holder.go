package trust

import (
	"log/slog"
	"os"
	"sync"
)

// Holder has the device key of a file, and makes one when it is first needed.
type Holder struct {
	file string
	log  *slog.Logger

	mu     sync.Mutex
	device *Device
}

// NewHolder returns the holder of a file, empty if there is no place for one. It reads a key that is there at once:
// later the folder may have been made private, and a key that others could read would look like a secret.
func NewHolder(file string, log *slog.Logger) *Holder {
	h := &Holder{file: file, log: log}
	if _, err := os.Lstat(file); err == nil {
		h.Device()
	}
	return h
}

// Device returns the key. It is nil if there is no place for one, and a line in the log says why.
func (h *Holder) Device() *Device {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.device != nil || h.file == "" {
		return h.device
	}
	d, warning, err := Open(h.file)
	if warning != nil {
		h.log.Warn("device key", "err", warning)
	}
	if err != nil {
		h.log.Warn("people will not recognise this device", "err", err)
	}
	h.device = d
	return d
}
