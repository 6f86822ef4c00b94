// Package failover shows what becomes of records in Redis when a master dies, and that nothing becomes of them when a
// slot moves or scripts are flushed: processes of its own call without pause meanwhile, and say what they were told. It
// has tests only.
package failover
