package room

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/loop"
	"parley/signal/roster"
	"parley/signal/seal"
	"parley/signal/trust"
)

// Config is what a Room needs.
type Config struct {
	URLs []string // of the rendezvous' WebSocket, best first
	Keys signal.Keys
	// Identity is who we are in this meeting, and in no other.
	Identity *identity.Identity
	Me       Member // name and marks to begin with; the identity gives the ID
	// Owner is the fingerprint of the owner's key, from the link. OwnerKey is ours, and Saved the roster kept with it,
	// if the meeting is or was ours: see package roster.
	Owner    string
	OwnerKey ed25519.PrivateKey
	Saved    []byte
	// Changed gets every new state, Call every payload that another member sent, Noticed what the hosts did to us,
	// and Keep the roster to keep with our owner's key; nil to forget both. Run's goroutine calls them all, so they
	// must not block. Noticed and Keep may be nil.
	Changed func(State)
	Call    func(from signal.ID, payload []byte)
	Noticed func(Notice)
	Keep    func(key ed25519.PrivateKey, roster []byte)
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error) // nil: net.Dialer
	Log     *slog.Logger
}

// Room is one membership of one meeting.
type Room struct {
	cfg    Config
	client *client.Client
	keys   *seal.Keyring // the loop's
	queue  chan event    // from the connection
	own    *loop.Mailbox[event]
	done   chan struct{}

	refusals, failures loop.RateLimitedLog
}

// queueSize is how many events of the connection may wait for the loop. None is dropped: when the queue is full, the
// client stops reading, and the service waits.
const queueSize = 1024

// New returns a room that does nothing until Run.
func New(cfg Config) *Room {
	cfg.Me.ID, cfg.Me.Keys = cfg.Identity.ID(), cfg.Identity.Public()
	if cfg.OwnerKey == nil { // for the case that somebody hands the meeting to us
		_, cfg.OwnerKey, _ = ed25519.GenerateKey(nil) // never fails: crypto/rand ends the program instead
	}
	r := &Room{
		cfg:   cfg,
		keys:  seal.New(cfg.Keys, cfg.Identity),
		queue: make(chan event, queueSize),
		own:   loop.NewMailbox[event](),
		done:  make(chan struct{}),
	}
	r.client = client.New(client.Config{
		URLs: cfg.URLs, Keys: cfg.Keys, Identity: cfg.Identity, Log: cfg.Log, Events: r.onEvent, Dial: cfg.Dial,
	})
	return r
}

// Do carries out a command. It does not block and loses none.
func (r *Room) Do(c Command) {
	if s, ok := c.(Say); ok && s.ID == "" {
		s.ID = rand.Text()
		c = s
	}
	r.post(c)
}

// Send passes a payload of package call, JSON, to one member. It does not block. If too many payloads are waiting,
// this one is dropped, and the log counts it.
func (r *Room) Send(to signal.ID, payload []byte) { r.post(sendCall{to, payload}) }

// mailboxSize is how many events may be waiting when a payload is added. Commands and the fate of our messages come
// at a person's pace and are never dropped.
const mailboxSize = 1024

func (r *Room) post(ev event) {
	if _, payload := ev.(sendCall); !payload {
		r.own.Put(ev)
	} else if n, ok := r.own.PutWithin(mailboxSize, ev); !ok {
		r.failures.Warn(r.cfg.Log, "call message dropped", "total", n)
	}
}

// Show has a device vouch for us, and shows that to each of the others, alone. They can then tell that we are the same
// in other meetings.
func (r *Room) Show(d *trust.Device) {
	r.post(vouch{d.Vouch(r.cfg.Keys.Room, r.cfg.Identity.Public())})
}

// Leave leaves the meeting after all earlier commands. Run returns soon after.
func (r *Room) Leave() { r.post(leave{}) }

// Run stays in the room until ctx ends or Leave is called, and then returns nil. It returns an error when the service
// refuses us for good; the last State has it too.
func (r *Room) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var g errgroup.Group
	g.Go(func() error {
		defer cancel()
		return r.client.Run(ctx)
	})
	m := r.loop(ctx)
	close(r.done)
	err := g.Wait()
	if errors.Is(err, client.ErrClosed) { // Leave came before the connection began
		err = nil
	}
	for _, ev := range r.own.Take() {
		switch ev.(type) {
		case sent, unsent: // the fate of the last messages
			m, _ = next(m, ev, time.Now())
		}
	}
	m, _ = next(m, over{err}, time.Now())
	r.cfg.Changed(m.state())
	if err != nil {
		return fmt.Errorf("meeting: %w", err)
	}
	return nil
}

// deadline is an event that is to happen later.
type deadline struct {
	at time.Time
	ev event
}

// loop feeds next and carries out its effects until ctx ends. It returns the last model.
func (r *Room) loop(ctx context.Context) model {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
	m := newModel(r.cfg.Me, roster.Config{
		Room: r.cfg.Keys.Room, Me: r.cfg.Identity, Owner: r.cfg.Owner, Key: r.cfg.OwnerKey, Saved: r.cfg.Saved,
	}, seed)
	r.cfg.Changed(m.state())
	var later []deadline
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var events []event
		select {
		case <-ctx.Done():
			return m
		case ev := <-r.queue:
			events = []event{ev}
		case <-r.own.Ready():
			events = r.own.Take()
		case <-timer.C:
		}
		now := time.Now()
		for _, ev := range events {
			later = r.apply(&m, ev, now, later)
		}
		for len(later) > 0 && !later[0].at.After(now) {
			due := later[0].ev
			later = r.apply(&m, due, now, later[1:])
		}
		if len(later) > 0 {
			timer.Reset(later[0].at.Sub(now))
		}
	}
}

func (r *Room) apply(m *model, ev event, now time.Time, later []deadline) []deadline {
	if sealed, ok := ev.(client.Message); ok {
		if ev = r.open(*m, sealed); ev == nil {
			return later
		}
	}
	old := m.link
	next, effects := next(*m, ev, now)
	*m = next
	if m.link != old {
		r.cfg.Log.Info("room", "from", old.String(), "to", m.link.String(), "cause", fmt.Sprintf("%T", ev))
	}
	r.cfg.Log.Debug("room", "event", fmt.Sprintf("%T", ev), "effects", len(effects))
	if _, silent := ev.(sendCall); !silent {
		r.cfg.Changed(m.state())
	}
	for _, e := range effects {
		switch e := e.(type) {
		case send:
			r.send(e)
		case deliver:
			r.cfg.Call(e.from, e.payload)
		case include:
			r.keys.Include(e.id)
		case exclude:
			r.keys.Exclude(e.id)
		case forget:
			r.keys.Forget(e.id)
		case notice:
			if r.cfg.Noticed != nil {
				r.cfg.Noticed(e.of)
			}
		case keep:
			if r.cfg.Keep != nil {
				r.cfg.Keep(r.cfg.OwnerKey, e.roster)
			}
		case hangUp:
			r.client.Close()
		case after:
			later = append(later, deadline{now.Add(e.wait), e.ev})
			slices.SortStableFunc(later, func(a, b deadline) int { return a.at.Compare(b.at) })
		}
	}
	return later
}

func (r *Room) send(e send) {
	r.sign(e.env)
	sealed, err := r.seal(e)
	if err != nil {
		r.failures.Warn(r.cfg.Log, "message not sent", "kind", e.env.T, "err", err)
		if e.chat != "" {
			r.post(unsent{e.chat})
		}
		return
	}
	done := func(error) {}
	if e.chat != "" {
		done = func(err error) {
			if err != nil {
				r.post(unsent{e.chat})
			} else {
				r.post(sent{e.chat})
			}
		}
	}
	if err := r.client.Send(sealed.To, sealed.Seq, sealed.Body, done); err != nil {
		r.failures.Warn(r.cfg.Log, "message not sent", "kind", e.env.T, "err", err)
		if e.chat != "" {
			r.post(unsent{e.chat})
		}
	}
}

// seal seals an envelope for whom it is for. Those who lack our key to what we say to everyone are sent it first.
func (r *Room) seal(e send) (seal.Sealed, error) {
	plain := e.env.encode()
	switch {
	case len(plain) > maxPayload:
		return seal.Sealed{}, errTooLong
	case e.env.T == kindHello:
		return r.keys.Hello(e.to, plain)
	case e.to != "":
		return r.keys.One(e.to, plain)
	}
	keys, all, err := r.keys.All(plain)
	for _, key := range keys {
		if err := r.client.Send(key.To, key.Seq, key.Body, func(error) {}); err != nil {
			r.failures.Warn(r.cfg.Log, "key not sent", "err", err)
			r.keys.NotSent(key.To)
		}
	}
	return all, err
}

// sign signs the chats that are ours. An envelope is made for one send, so nobody else reads it meanwhile.
func (r *Room) sign(env envelope) {
	if env.Chat != nil {
		env.Chat.Sig = env.Chat.statement(r.cfg.Keys.Room).Sign(r.cfg.Identity)
	}
	for i := range env.History {
		if x := &env.History[i].chat; x.From == r.cfg.Me.ID && x.Sig == nil {
			x.Sig = x.statement(r.cfg.Keys.Room).Sign(r.cfg.Identity)
		}
	}
}

// onEvent translates what the connection reports; it runs on the client's goroutine.
func (r *Room) onEvent(ev client.Event) {
	var e event
	switch ev := ev.(type) {
	case client.Servers:
		e = servers{ev.ICE}
	case client.Connected:
		e = up{ev.Members, ev.Resumed}
	case client.Disconnected:
		e = down{ev.Err}
	case client.Joined:
		e = joined{ev.ID}
	case client.Left:
		e = left{ev.ID, ev.Back}
	case client.Message:
		e = ev // the loop opens it
	default:
		return
	}
	select {
	case r.queue <- e:
	case <-r.done:
	}
}

// open unseals and parses a message, and checks the signatures of the chats in it. It returns nil if there is nothing in
// it for next.
func (r *Room) open(m model, sealed client.Message) event {
	if !m.presence.named(sealed.From) {
		return r.refuse(errStranger)
	}
	opened, err := r.keys.Open(sealed.From, sealed.To, sealed.Seq, sealed.Body)
	switch {
	case errors.Is(err, seal.ErrKeyless), errors.Is(err, seal.ErrUnknown) && sealed.To == "":
		return unread{sealed.From}
	case err != nil:
		return r.refuse(err)
	case opened.Kind == seal.Key:
		return nil
	}
	env, err := parseEnvelope(opened.Kind, opened.Text)
	if err != nil {
		if m.presence.find(sealed.From) < 0 && m.presence.findOutside(sealed.From) < 0 {
			r.keys.Forget(sealed.From) // a hello that says nothing makes no member
		}
		return r.refuse(err)
	}
	ev := received{from: sealed.From, env: env}
	switch env.T {
	case kindHello:
		return greeted{sealed.From, opened.Keys, env.Present, env.Roster}
	case kindCard, kindKnock:
		if opened.Kind == seal.All {
			env.Card.Device = nil
		}
		if d := env.Card.Device; d != nil && !d.Verify(r.cfg.Keys.Room, opened.Keys) {
			return r.refuse(seal.ErrForged)
		}
	case kindChat:
		env.Chat.From = sealed.From
		if !env.Chat.statement(r.cfg.Keys.Room).Verify(opened.Keys, env.Chat.Sig) {
			return r.refuse(seal.ErrForged)
		}
	case kindHistory:
		if !m.chat.owes(sealed.From) { // checking costs too much to do it for whoever likes
			return nil
		}
		ev = r.check(m, ev)
	}
	return ev
}

// check leaves in a history what its authors have signed and we do not have.
func (r *Room) check(m model, ev received) received {
	authors := map[signal.ID]identity.Public{}
	for _, keys := range ev.env.Authors {
		authors[keys.ID()] = keys
	}
	ev.env.History = slices.DeleteFunc(ev.env.History, func(x told) bool {
		if m.chat.has(x.ID) {
			return true
		}
		genuine := x.statement(r.cfg.Keys.Room).Verify(authors[x.From], x.Sig)
		if !genuine {
			ev.forged++
		}
		return !genuine
	})
	return ev
}

func (r *Room) refuse(err error) event {
	r.refusals.Warn(r.cfg.Log, "message refused", "err", err)
	return refused{}
}

var (
	errStranger = errors.New("message refused: the service has not named its sender")
	errTooLong  = errors.New("message is too long")
)

func (l Link) String() string {
	return [...]string{"connecting", "connected", "reconnecting", "closed"}[l]
}
