// Package redistest proves backend/redis on real servers: the one that IDEM_TEST_REDIS names, and where a test needs
// settings, replicas or a restart, servers that it starts itself from the installed redis-server and ends again.
package redistest
