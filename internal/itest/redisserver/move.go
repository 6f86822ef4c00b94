package redisserver

// MoveSlot moves a slot with its keys to another master, as an operator does while the Cluster is in use.
func (c *Cluster) MoveSlot(slot int, to *Server) {
	c.t.Helper()
	from := c.Master(slot)
	if from == to {
		return
	}
	to.Do("cluster", "setslot", slot, "importing", c.id(from))
	from.Do("cluster", "setslot", slot, "migrating", c.id(to))
	for {
		keys, _ := from.Do("cluster", "getkeysinslot", slot, 10).([]any)
		if len(keys) == 0 {
			break
		}
		from.Do(append([]any{"migrate", "127.0.0.1", to.port, "", 0, 5000, "keys"}, keys...)...)
	}
	// The new owner first: between the two, whoever asks the old one is sent to it.
	for _, n := range append([]*Server{to, from}, c.Masters()...) {
		n.Do("cluster", "setslot", slot, "node", c.id(to))
	}
}
