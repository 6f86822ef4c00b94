// Gin is an API on gin whose writes are safe to retry: orders by a handler of gin's own kind, transfers by a function.
//
//	go run ./examples/gin
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	_ "github.com/idem-go/idem/drivers/sqlite"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	records := flag.String("backend", "sqlite:gin.db", "where idem keeps its records")
	flag.Parse()
	gin.SetMode(gin.ReleaseMode)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *records, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends. Then it finishes what is in flight, also for clients that have left, stops the pruner and
// closes the store: in this order, since each needs the next.
func run(ctx context.Context, addr, records string, stdout io.Writer) error {
	store, err := backend.Open(ctx, records)
	if err != nil {
		return fmt.Errorf("-backend: %w", err)
	}
	guard, err := idem.New("gin-example", store.Store)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	s, err := newShop(guard)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return errors.Join(fmt.Errorf("-addr: %w", err), store.Close())
	}
	welcome(stdout, l.Addr())

	pruning, stopPruning := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPruning()
	var background sync.WaitGroup
	background.Go(func() { _ = guard.RunPruner(pruning, time.Hour) }) // what is not pruned is only disk space
	web := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	broken := make(chan error, 1)
	go func() { broken <- web.Serve(l) }()
	select {
	case err = <-broken:
	case <-ctx.Done():
	}
	err = errors.Join(err, web.Shutdown(context.WithoutCancel(ctx)))
	stopPruning()
	background.Wait()
	return errors.Join(err, store.Close())
}

// welcome prints what to try.
func welcome(stdout io.Writer, addr net.Addr) {
	fmt.Fprintf(stdout, `listening on http://%[1]s

An order, and again: the second answer is a replay
curl -i http://%[1]s/v1/orders -H 'Authorization: Bearer alice' -H 'Content-Type: application/json' -H 'Idempotency-Key: "order-1"' -d '{"item":"book","amount":1}'

Another order under its key: 422
curl -i http://%[1]s/v1/orders -H 'Authorization: Bearer alice' -H 'Content-Type: application/json' -H 'Idempotency-Key: "order-1"' -d '{"item":"book","amount":2}'

A transfer by a typed function
curl -i http://%[1]s/v1/accounts/7/transfers -H 'Authorization: Bearer alice' -H 'Content-Type: application/json' -H 'Idempotency-Key: "transfer-1"' -d '{"cents":500}'
`, addr)
}
