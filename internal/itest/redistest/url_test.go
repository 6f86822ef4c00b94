package redistest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// opens opens a URL and makes a run and a replay there.
func opens(t *testing.T, url string) backend.Store {
	t.Helper()
	h, err := backend.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	c := claimOf(url)
	begins(t, h.Store, c, backend.Claimed)
	completes(t, h.Store, c, "answer", backend.Kept)
	require.Equal(t, "answer", string(begins(t, h.Store, again(c), backend.Replay).Answer))
	return h.Store
}

func TestOpenByURL(t *testing.T) {
	t.Parallel()
	on := startServer(t)
	opens(t, "redis://"+on.addr()+"/1?prefix=mine:&protocol=2")
	client := redis.NewClient(on.options())
	defer client.Close()
	require.Zero(t, client.DBSize(t.Context()).Val(), "it is another database")

	t.Run("a cluster", func(t *testing.T) {
		t.Parallel()
		c := startCluster(t, 3)
		opens(t, "redis+cluster://"+c.nodes[1].addr()+"?addr="+c.nodes[2].addr())
	})
	t.Run("with a password that is wrong", func(t *testing.T) {
		t.Parallel()
		on := startServer(t, "--requirepass", "right")
		opens(t, "redis://:right@"+on.addr())
		_, err := backend.Open(t.Context(), "redis://:wrong@"+on.addr())
		require.Error(t, err)
		require.NotContains(t, err.Error(), ":wrong@")
	})
}

func TestOpenByURLOverTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	on := startServer(t)
	on.kill()
	port := freePort(t)
	on.args = append(on.args, "--tls-port", strconv.Itoa(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
	on.start()
	at := fmt.Sprintf("127.0.0.1:%d", port)
	opens(t, "rediss://"+at+"?skip_verify=true")
	_, err := backend.Open(t.Context(), "rediss://"+at)
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)
}

// certificate makes one that signs itself.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	return cert, key
}

// startSentinel starts one that watches over a master, alone, and replaces it within seconds.
func startSentinel(t *testing.T, master *server) *server {
	t.Helper()
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
sentinel monitor payments 127.0.0.1 %s 1
sentinel down-after-milliseconds payments 500
sentinel failover-timeout payments 3000
`, master.portText()), 0o600))
	s := &server{t: t, port: freePort(t)}
	s.args = []string{config, "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--sentinel"}
	t.Cleanup(s.kill)
	s.start()
	return s
}

// A store behind Sentinel goes on with the new master, which has what its replica had.
func TestAStoreFollowsSentinelToTheNewMaster(t *testing.T) {
	t.Parallel()
	master, replica := withReplica(t)
	watcher := startSentinel(t, master)
	sentinel := redis.NewSentinelClient(watcher.options())
	defer sentinel.Close()
	require.Eventually(t, func() bool {
		found, err := sentinel.Replicas(t.Context(), "payments").Result()
		return err == nil && len(found) == 1
	}, 60*time.Second, 50*time.Millisecond)

	store := opens(t, "redis+sentinel://"+watcher.addr()+"?master_name=payments&min_replicas=1&min_replicas_timeout=2s")
	h, err := backend.Open(t.Context(), "redis+sentinel://"+watcher.addr()+"?master_name=payments")
	require.NoError(t, err)
	defer h.Close()
	running, done := claimOf("running"), claimOf("done")
	begins(t, store, running, backend.Claimed)
	begins(t, store, done, backend.Claimed)
	completes(t, store, done, "answer", backend.Kept)
	changed, stop, err := h.Store.(backend.Notifier).Watch(t.Context(), running.ID)
	require.NoError(t, err)
	defer stop()
	master.kill()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g, err := h.Store.Complete(ctx, running.ID, running.Token, completion(running, "answer"))
		return err == nil && g.Verdict == backend.Kept
	}, 60*time.Second, 50*time.Millisecond)
	require.Equal(t, "answer", string(begins(t, h.Store, again(done), backend.Replay).Answer))
	require.True(t, comes(changed), "the subscription has followed")
	client := redis.NewClient(replica.options())
	defer client.Close()
	require.Equal(t, "master", client.InfoMap(t.Context(), "replication").Item("Replication", "role"))
}
