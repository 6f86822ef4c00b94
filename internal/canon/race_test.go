//go:build race

package canon

// Under the race detector a sync.Pool loses things on purpose, so allocations say nothing.
func init() { pooled = false }
