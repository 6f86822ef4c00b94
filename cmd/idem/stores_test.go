package main

import (
	"context"
	"errors"
	"strings"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// Stores that the tool's own schemes do not have, under schemes of the tests.
func init() {
	backend.Register("test-bare", func(context.Context, string) (backend.Handle, error) {
		return handle(struct{ backend.Store }{new(memtest.Store)}), nil
	})
	backend.Register("test-risky", func(context.Context, string) (backend.Handle, error) {
		return handle(riskyStore{new(memtest.Store)}), nil
	})
	backend.Register("test-unclosed", func(context.Context, string) (backend.Handle, error) {
		return backend.Handle{Store: new(memtest.Store), Close: func() error { return errUnclosed }}, nil
	})
	backend.Register("test-mute", func(ctx context.Context, url string) (backend.Handle, error) {
		h, err := backend.Open(ctx, strings.Replace(url, "test-mute", "memory", 1))
		if err != nil {
			return h, err
		}
		return handle(muteStore{h.Store.(*memtest.Store)}), nil
	})
}

func handle(s backend.Store) backend.Handle {
	return backend.Handle{Store: s, Close: func() error { return nil }}
}

var errUnclosed = errors.New("the last writes are not on the disk")

// riskyStore has settings that break a promise.
type riskyStore struct{ *memtest.Store }

func (riskyStore) Check(context.Context) ([]backend.Finding, error) {
	return []backend.Finding{
		{Severity: backend.Warning, Setting: "synchronous", Value: "1", Advice: "set it to FULL"},
		{Severity: backend.Error, Setting: "journal_mode", Value: "off", Advice: "set it to WAL"},
	}, nil
}

// muteStore takes what settles a record and does not answer.
type muteStore struct{ *memtest.Store }

var errMute = errors.New("the connection was reset")

func (m muteStore) Free(ctx context.Context, ref backend.Ref) (backend.Grant, error) {
	_, err := m.Store.Free(ctx, ref)
	return backend.Grant{}, errors.Join(errMute, err)
}
