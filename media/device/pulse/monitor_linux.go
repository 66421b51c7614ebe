package pulse

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"parley/media"
)

// maxPrograms is how many programs are recorded at a time. More are left out.
const maxPrograms = 32

// systemSound is the sound that the machine plays, without this process's own. Each program is recorded before it is
// mixed, by a record stream on the monitor of the program's device that is bound to the program's stream. Our own
// streams are not recorded, so nothing has to be subtracted. Streams of modules are left out too: they carry sound of
// programs.
type systemSound struct {
	log  *slog.Logger
	p    *pulseConn
	look chan struct{} // holds a token: the list of programs may have changed

	mu      sync.Mutex
	mix     soundMix
	streams map[uint32]soundStream // by the program's stream (sink input)
}

// soundStream is a program that is being recorded.
type soundStream struct {
	device uint32 // that it plays on (sink)
	record uint32 // our stream
}

// OpenSystemSound opens the sound that the machine plays, without this process's own.
func (a *Driver) OpenSystemSound() (media.AudioSource, error) {
	s := &systemSound{
		log: a.log, look: make(chan struct{}, 1),
		mix:     soundMix{programs: make(map[uint32]*soundQueue)},
		streams: make(map[uint32]soundStream),
	}
	p, err := dialPulse(s.heard)
	if err != nil {
		return nil, fmt.Errorf("open the sound of this machine: %w: %w", media.ErrUnsupported, err)
	}
	s.p = p
	if err := s.begin(); err != nil {
		p.close()
		return nil, fmt.Errorf("open the sound of this machine: %w", err)
	}
	return s, nil
}

func (s *systemSound) begin() error {
	if err := s.p.Request(&proto.Subscribe{Mask: proto.SubscriptionMaskSinkInput}, nil); err != nil {
		return err
	}
	return s.update()
}

// Info implements media.AudioSource.
func (s *systemSound) Info() media.AudioInfo {
	return media.AudioInfo{Device: media.Device{Kind: media.Microphone, ID: "system", Name: "System sound"}}
}

// Close implements media.AudioSource.
func (s *systemSound) Close() error {
	s.p.close()
	return nil
}

// heard handles an event of the server.
func (s *systemSound) heard(message any) {
	switch m := message.(type) {
	case *proto.DataPacket:
		s.mu.Lock()
		s.mix.add(m.StreamIndex, m.Data)
		s.mu.Unlock()
	case *proto.SubscribeEvent, *proto.RecordStreamKilled:
		select {
		case s.look <- struct{}{}:
		default:
		}
	}
}

// Run implements media.AudioSource.
func (s *systemSound) Run(ctx context.Context, emit func(media.Audio)) error {
	defer s.Close()
	tick := time.NewTicker(media.BlockDuration / 2)
	defer tick.Stop()
	var clock audioClock
	block := make([]int16, soundBlock)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.p.ended:
			return fmt.Errorf("sound of this machine: the sound server has gone: %w", media.ErrLost)
		case <-s.look:
			if err := s.update(); err != nil {
				return fmt.Errorf("sound of this machine: %w: %w", media.ErrLost, err)
			}
			continue
		case <-tick.C:
		}
		for s.take(block) {
			ago := (soundCushion + 1) * media.BlockDuration
			emit(media.Audio{PCM: block, Channels: soundChannels, Captured: clock.block(time.Now().Add(-ago))})
		}
	}
}

func (s *systemSound) take(block []int16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mix.take(block, time.Now())
}

// update records the programs that play now, and no others.
func (s *systemSound) update() error {
	var inputs proto.GetSinkInputInfoListReply
	if err := s.p.Request(&proto.GetSinkInputInfoList{}, &inputs); err != nil {
		return err
	}
	var sinks proto.GetSinkInfoListReply
	if err := s.p.Request(&proto.GetSinkInfoList{}, &sinks); err != nil {
		return err
	}
	monitors := make(map[uint32]uint32)
	for _, d := range sinks {
		monitors[d.SinkIndex] = d.MonitorSourceIndex
	}
	own := strconv.Itoa(os.Getpid())
	now := make(map[uint32]uint32) // stream to device
	for _, i := range inputs {
		if _, ok := monitors[i.SinkIndex]; !ok || i.ClientIndex == proto.Undefined || len(now) == maxPrograms {
			continue
		}
		if i.Properties["application.process.id"].String() != own {
			now[i.SinkInputIndex] = i.SinkIndex
		}
	}
	for input, st := range s.streams {
		if device, ok := now[input]; !ok || device != st.device {
			s.drop(input, st)
		}
	}
	for input, device := range now {
		if _, ok := s.streams[input]; !ok {
			s.listen(input, device, monitors[device])
		}
	}
	return nil
}

// drop stops recording a program. The server may have ended the stream already.
func (s *systemSound) drop(input uint32, st soundStream) {
	delete(s.streams, input)
	s.mu.Lock()
	delete(s.mix.programs, st.record)
	s.mu.Unlock()
	if err := s.p.Request(&proto.DeleteRecordStream{StreamIndex: st.record}, nil); err != nil {
		s.log.Debug("end a record stream", "err", err)
	}
}

// listen starts to record a program. It ignores one that has just ended.
func (s *systemSound) listen(input, device, monitor uint32) {
	var r proto.CreateRecordStreamReply
	err := s.p.Request(&proto.CreateRecordStream{
		SampleSpec:  proto.SampleSpec{Format: proto.FormatInt16LE, Channels: soundChannels, Rate: media.SampleRate},
		ChannelMap:  proto.ChannelMap{proto.ChannelFrontLeft, proto.ChannelFrontRight},
		SourceIndex: monitor, DirectOnInputIndex: input,
		BufferMaxLength: proto.Undefined, BufferFragSize: 2 * soundBlock, AdjustLatency: true,
		ChannelVolumes: proto.ChannelVolumes{0x10000, 0x10000},
		Properties:     proto.PropList{"media.name": proto.PropListString("Shared system sound")},
	}, &r)
	if err != nil {
		s.log.Debug("listen to a program", "err", err)
		return
	}
	s.streams[input] = soundStream{device: device, record: r.StreamIndex}
	s.mu.Lock()
	s.mix.programs[r.StreamIndex] = &soundQueue{}
	s.mu.Unlock()
}
