package trust

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// Limits of a Book. Beyond the first, whoever was seen longest ago is dropped, and of those the user has verified none
// while there are others.
const (
	maxKnown = 500
	maxName  = 4096    // bytes
	maxBook  = 4 << 20 // bytes of text
)

// Known is somebody whose device we have met.
type Known struct {
	Key      Key       `json:"key"`
	Name     string    `json:"name"`              // when the user verified them, else the last one
	First    time.Time `json:"first"`             // when we met the device
	Last     time.Time `json:"last"`              // when we last did
	Verified time.Time `json:"verified,omitzero"` // when the user last compared the phrase with its owner; zero: never
}

// Book is the people we know, by their devices. It is a value: its methods return another one. The zero Book is empty.
type Book struct{ people []Known } // longest known first

// ErrBook says that a text is no book. It does not quote the text.
var ErrBook = errors.New("the list of known people is damaged")

// Parse reads a book as String writes it. An empty text is an empty book.
func Parse(text string) (Book, error) {
	var b Book
	if text == "" {
		return b, nil
	}
	if len(text) > maxBook || json.Unmarshal([]byte(text), &b.people) != nil {
		return Book{}, ErrBook
	}
	seen := map[Key]bool{}
	for _, k := range b.people {
		if seen[k.Key] || len(k.Name) > maxName {
			return Book{}, ErrBook
		}
		seen[k.Key] = true
	}
	return b.trim(), nil
}

// String writes the book, as JSON.
func (b Book) String() string {
	text, err := json.Marshal(b.people)
	if err != nil {
		panic("trust: write the book: a time beyond the year 9999")
	}
	return string(text)
}

// Find returns what is known of a device.
func (b Book) Find(key Key) (Known, bool) {
	i := b.find(key)
	if i < 0 {
		return Known{}, false
	}
	return b.people[i], true
}

func (b Book) find(key Key) int {
	return slices.IndexFunc(b.people, func(k Known) bool { return k.Key == key })
}

// Meet notes that a device is here under a name. The first time is remembered; so is the name under which somebody was
// verified.
func (b Book) Meet(key Key, name string, now time.Time) Book {
	return b.change(key, now, func(k *Known) {
		if k.Verified.IsZero() {
			k.Name = name
		}
	})
}

// Verify notes that the user has compared the phrase with the owner of a device.
func (b Book) Verify(key Key, name string, now time.Time) Book {
	return b.change(key, now, func(k *Known) { k.Name, k.Verified = name, clock(now) })
}

// Doubt takes a verification back, and goes on knowing the device.
func (b Book) Doubt(key Key) Book {
	i := b.find(key)
	if i < 0 {
		return b
	}
	b.people = slices.Clone(b.people)
	b.people[i].Verified = time.Time{}
	return b
}

// Forget removes a device.
func (b Book) Forget(key Key) Book {
	b.people = slices.DeleteFunc(slices.Clone(b.people), func(k Known) bool { return k.Key == key })
	return b
}

func (b Book) change(key Key, now time.Time, change func(*Known)) Book {
	now = clock(now)
	b.people = slices.Clone(b.people)
	i := b.find(key)
	if i < 0 {
		b.people = append(b.people, Known{Key: key, First: now})
		i = len(b.people) - 1
	}
	k := &b.people[i]
	change(k)
	k.Name = k.Name[:min(len(k.Name), maxName)]
	k.Last = now
	return b.trim()
}

// clock is a time as a book keeps it: whole seconds of UTC, within the years that JSON has.
func clock(t time.Time) time.Time {
	return time.Unix(min(max(t.Unix(), 0), 1<<37), 0).UTC()
}

func (b Book) trim() Book {
	for len(b.people) > maxKnown {
		drop := slices.MinFunc(b.people, func(x, y Known) int {
			return cmp.Or(rank(x)-rank(y), x.Last.Compare(y.Last))
		})
		b = b.Forget(drop.Key)
	}
	return b
}

// rank is 1 for those whom the user has verified.
func rank(k Known) int {
	if k.Verified.IsZero() {
		return 0
	}
	return 1
}

// Verdict is what a book says of somebody in a meeting.
type Verdict uint8

// The verdicts.
const (
	New      Verdict = iota // never met, or it shows no device
	Met                     // met before, and not verified
	Verified                // verified by the user, on this device
	Changed                 // somebody of this name was verified on another device
)

// Judge says what to make of a member who shows a device and a name. Two names are one if they differ only in case. Only
// the device makes somebody Verified; the name alone makes them Changed, which asks the user to compare the phrase again.
func (b Book) Judge(key Key, name string) (Verdict, Known) {
	k, met := b.Find(key)
	if met && !k.Verified.IsZero() {
		return Verified, k
	}
	for _, other := range b.people {
		if other.Key != key && !other.Verified.IsZero() && name != "" && strings.EqualFold(other.Name, name) {
			return Changed, other
		}
	}
	if met {
		return Met, k
	}
	return New, Known{}
}
