// Package signal is what members and the rendezvous say to each other: the meeting code and
// link, the keys derived from it, sealing, and the messages of PROTOCOL.md.
package signal
