package vpx

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"

	"parley/media"
)

// TestThreadsKeepNoCodecs: an encoder of 1280x720 needs 20 MB; after one has come and gone on each
// of many threads, the process is not larger by even one.
func TestThreadsKeepNoCodecs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	var wg sync.WaitGroup
	done := make(chan bool)
	defer wg.Wait()
	defer close(done)
	onThreads := func(n int) {
		for range n {
			turn := make(chan bool)
			wg.Go(func() {
				runtime.LockOSThread() // the thread ends with the goroutine, not before done
				_ = encodeOnce(t, 1280, 720)()
				close(turn)
				<-done
			})
			<-turn
		}
	}
	onThreads(2)
	before := residentMB(t)
	onThreads(8)
	if after := residentMB(t); after > before+15 {
		t.Errorf("%d MB, and %d after eight more threads", before, after)
	}
}

// encodeOnce makes an encoder, and has it code one frame, and returns what closes it.
func encodeOnce(t *testing.T, w, h int) (closed func() error) {
	enc, err := NewEncoder(media.VideoConfig{Codec: media.VP8, Width: w, Height: h, BitRate: 1_000_000, FrameRate: 30})
	if err != nil {
		t.Error(err)
		return func() error { return nil }
	}
	f := media.NewFrame(w, h)
	defer f.Release()
	if _, err := enc.Encode(f, true); err != nil {
		t.Error(err)
	}
	return enc.Close
}

// residentMB is the memory of this process in MB.
func residentMB(t *testing.T) int {
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(b)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}
