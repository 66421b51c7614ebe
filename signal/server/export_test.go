package server

// SetMaxHeld bounds the bytes that may wait for all members of the node.
func (s *Server) SetMaxHeld(bytes int64) { s.node.ledger.maxHeld = bytes }
