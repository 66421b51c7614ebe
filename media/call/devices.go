package call

import (
	"errors"
	"slices"

	"parley/media"
	"parley/signal/room"
)

// local is our device of a kind.
func (s *State) local(k media.Kind) *Local {
	switch k {
	case media.Camera:
		return &s.Camera
	case media.Microphone:
		return &s.Mic
	case media.Speaker:
		return &s.Speaker
	}
	return &s.Screen
}

// wanted reports whether the device of a kind should be open. A muted microphone stays open, so that
// unmuting is instant and the level meter shows that it works.
func (m model) wanted(k media.Kind) bool {
	l := m.local(k)
	if l.Choice == media.SpecOff && k != media.Speaker {
		return false
	}
	switch k {
	case media.Microphone:
		return m.inside() || m.Phase == Lobby
	case media.Camera:
		return l.On && (m.inside() || m.Phase == Lobby)
	case media.Speaker:
		return m.inside() || m.Phase == Lobby && l.Testing
	}
	return l.On && m.inside()
}

// reconcile opens and closes devices as wanted, and tells the others what we send.
func (m model) reconcile() (model, []effect) {
	if m.Phase == Idle || m.Phase == Ended {
		m.Speaker.Testing, m.testErr = false, nil
	}
	// Mute first, so that a microphone that starts muted never sends anything.
	effects := []effect{mute{!m.Mic.On}, silence{!m.Speaker.On}}
	for k := range media.Kind(len(m.devices)) {
		slot := &m.devices[k]
		l := m.local(k)
		switch want := m.wanted(k); {
		case want && !slot.open:
			slot.open = true
			slot.generation++
			spec := l.Choice
			if slot.fallback {
				spec = media.SpecDefault
			}
			effects = append(effects, openDevice{k, spec, slot.generation, l.Sound, l.Capture})
		case !want && slot.open:
			// Next time the chosen device is tried first again.
			slot.open, slot.fallback, slot.failed = false, false, false
			slot.generation++
			effects = append(effects, closeDevice{k})
			l.Live, l.Hidden, l.Silenced, l.Format, l.Problem = false, false, false, Format{}, Problem{}
		}
	}
	m.predictSpeaker()
	if m.Phase != Idle && m.Phase != Ended {
		effects = append(effects, tell{m.marks()})
	}
	return m, effects
}

// marks tells the others what we send.
func (m model) marks() room.SetMarks {
	return room.SetMarks{
		Mic: m.Mic.On && m.Mic.Live, Camera: m.Camera.On && m.Camera.Live, Screen: m.Screen.On && m.Screen.Live,
	}
}

func (m model) turn(c Turn) (model, []effect) {
	l := m.local(c.Kind)
	if c.Kind == media.Screen && c.On {
		return m, nil // Choose says which one
	}
	if c.On && !l.On && m.reserved(c.Kind) {
		m.tell(Told{Why: HostsOnly})
		return m, nil
	}
	if c.On && l.Choice == media.SpecOff {
		l.Choice = media.SpecDefault
	}
	l.On = c.On
	if c.On && m.devices[c.Kind].failed {
		return m.reopen(c.Kind)
	}
	return m.reconcile()
}

func (m model) choose(c Choose) (model, []effect) {
	l := m.local(c.Kind)
	slot := &m.devices[c.Kind]
	switch {
	case c.Kind == media.Screen && !m.inside():
		return m, nil // sharing must not start by itself when the meeting begins
	case c.Kind == media.Screen && m.reserved(c.Kind):
		m.tell(Told{Why: HostsOnly})
		return m, nil
	case l.Live && l.Choice == c.ID && l.Sound == c.Sound && l.Capture == c.Capture && !slot.fallback:
		return m, nil // it is open already
	case c.Kind == media.Screen:
		l.On = true
	case c.ID == media.SpecOff && c.Kind != media.Speaker:
		l.On = false
	}
	l.Choice, l.Problem, slot.fallback = c.ID, Problem{}, false
	if c.Kind == media.Speaker {
		m.testErr = nil
	}
	l.Sound = c.Sound && c.Kind == media.Screen
	l.Capture = c.Capture
	return m.reopen(c.Kind)
}

// reopen closes a device, and opens it again if it is wanted.
func (m model) reopen(k media.Kind) (model, []effect) {
	slot := &m.devices[k]
	var effects []effect
	if slot.open {
		slot.open, slot.failed = false, false
		slot.generation++
		l := m.local(k)
		l.Live, l.Hidden, l.Silenced, l.Format = false, false, false, Format{}
		effects = append(effects, closeDevice{k})
	}
	m, more := m.reconcile()
	return m, append(effects, more...)
}

func (m model) deviceOpened(ev deviceOpened) (model, []effect) {
	if m.devices[ev.kind].generation != ev.generation {
		return m, nil
	}
	l := m.local(ev.kind)
	l.Live, l.Device, l.Format, l.Problem = true, ev.device, ev.format, Problem{}
	m.followMute(ev.kind)
	if m.devices[ev.kind].fallback && m.Problem == (Problem{}) && (m.inside() || ev.kind != media.Speaker) {
		m.Problem = replacedProblem(ev.kind, ev.device)
	}
	return m.reconcile()
}

// soundFailed keeps sharing the screen, without sound.
func (m model) soundFailed(ev soundFailed) (model, []effect) {
	if m.devices[media.Screen].generation == ev.generation {
		m.Screen.Sound, m.Problem = false, soundProblem(ev.err)
	}
	return m, nil
}

// deviceFailed falls back to the system's default device. If that fails too, it waits for a device to
// appear.
func (m model) deviceFailed(ev deviceFailed) (model, []effect) {
	slot := &m.devices[ev.kind]
	if slot.generation != ev.generation {
		return m, nil
	}
	l := m.local(ev.kind)
	l.Live, l.Hidden, l.Silenced, l.Format = false, false, false, Format{}
	l.Problem = deviceProblem(ev.kind, ev.err)
	slot.open = false
	if ev.kind == media.Screen {
		m.Problem = screenProblem(l.Choice, ev.err)
		l.On, l.Problem = false, Problem{}
		return m.reconcile()
	}
	if l.Choice != media.SpecDefault && !slot.fallback {
		slot.fallback = true
		return m.reconcile()
	}
	if ev.kind == media.Speaker && !m.inside() {
		return m.testFailed(ev.err)
	}
	// Stay closed until the device list changes or, if the device may recover, for retryDelay.
	slot.generation++
	slot.open, slot.failed = true, true
	m, effects := m.reconcile()
	if ev.kind == media.Speaker {
		effects = append(effects, openDevice{kind: media.Speaker, spec: media.SpecOff, generation: m.devices[ev.kind].generation})
	}
	if mayRecover(ev.err) {
		effects = append(effects, later{retryDelay, reopen{ev.kind, m.devices[ev.kind].generation}})
	}
	return m, effects
}

// mayRecover reports whether a failed device may work again by itself.
func mayRecover(err error) bool {
	return !errors.Is(err, media.ErrNoDevice) && !errors.Is(err, media.ErrFormat) && !errors.Is(err, media.ErrUnsupported)
}

// followMute copies from the device list whether the system has muted the open device.
func (m *model) followMute(k media.Kind) {
	l := m.local(k)
	for _, d := range m.Devices[k] {
		if d.ID == l.Device.ID {
			l.Device.Muted = d.Muted
		}
	}
}

// devicesListed takes a new list, and tries again to open what failed before.
func (m model) devicesListed(ev devicesListed) (model, []effect) {
	devices := make(map[media.Kind][]media.Device, len(m.Devices)+1)
	for k, v := range m.Devices {
		devices[k] = v
	}
	old := devices[ev.kind]
	devices[ev.kind] = ev.list
	m.Devices = devices
	m.followMute(ev.kind)
	l := m.local(ev.kind)
	slot := &m.devices[ev.kind]
	if ev.kind == media.Speaker {
		m.testErr = nil // it may work now
		m.predictSpeaker()
	}
	chosen := func(d media.Device) bool { return d.ID == l.Choice || d.Name == l.Choice }
	switch {
	case slices.Equal(old, ev.list) || ev.kind == media.Screen:
		return m, nil
	case slot.fallback && slices.ContainsFunc(ev.list, chosen):
		slot.fallback = false // the chosen device is back
		if m.Problem == replacedProblem(ev.kind, l.Device) {
			m.Problem = Problem{}
		}
		return m.reopen(ev.kind)
	case slot.failed:
		return m.reopen(ev.kind)
	}
	return m, nil
}
