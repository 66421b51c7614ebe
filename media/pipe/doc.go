// Package pipe carries pictures and sound from a source to a sink and drops the late ones:
// capture to encode to every peer, and peer to jitter buffer to decode to tile or speaker.
// Every queue of the media path is here, with its size, its drop rule and its counter.
package pipe
