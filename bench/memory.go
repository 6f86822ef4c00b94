package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
)

// memorySide is this process's memory: idem on its store for tests, which shows what the library itself takes.
type memorySide struct {
	store *memtest.Store
	hand  handMemory
	dedup *middleware.Deduplicator
}

func openMemory() (*memorySide, error) {
	seen, err := middleware.NewMapExpiringKeyRepository(time.Minute)
	if err != nil {
		return nil, err
	}
	return &memorySide{
		store: new(memtest.Store),
		dedup: &middleware.Deduplicator{
			KeyFactory: func(m *message.Message) (string, error) { return m.UUID, nil },
			Repository: seen, Timeout: time.Second,
		},
	}, nil
}

// handMemory is the cheapest correct protocol: shards of a map, a token, a fingerprint and an answer.
type handMemory struct{ shards [64]handShard }

type handShard struct {
	mu      sync.Mutex
	records map[backend.ID]*handRecord
}

type handRecord struct {
	token       backend.Token
	fingerprint backend.Fingerprint
	expires     time.Time
	answer      []byte
}

func (h *handMemory) claim(c *backend.Claim) (answer []byte, mine bool) {
	sh := &h.shards[c.ID[0]%64]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := time.Now()
	r := sh.records[c.ID]
	if r != nil && now.Before(r.expires) {
		return r.answer, r.fingerprint == c.Fingerprint && r.token == c.Token
	}
	if sh.records == nil {
		sh.records = map[backend.ID]*handRecord{}
	}
	sh.records[c.ID] = &handRecord{token: c.Token, fingerprint: c.Fingerprint, expires: now.Add(c.Lease)}
	return nil, true
}

func (h *handMemory) complete(c *backend.Claim) bool {
	sh := &h.shards[c.ID[0]%64]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := sh.records[c.ID]
	if r == nil || r.token != c.Token || r.answer != nil {
		return false
	}
	r.answer, r.expires = append([]byte(nil), answer...), time.Now().Add(c.Retention)
	return true
}

func (h *handMemory) first(c *backend.Claim) error {
	if _, mine := h.claim(c); !mine || !h.complete(c) {
		return errors.New("not claimed")
	}
	return nil
}

func (h *handMemory) replay(c *backend.Claim) error {
	if kept, _ := h.claim(c); len(kept) != len(answer) {
		return errors.New("no answer")
	}
	return nil
}

// seen is what watermill's deduplicator says of a message. It keeps no answer, and a key that failed is a duplicate too.
func (s *memorySide) seen(id string) (bool, error) {
	return s.dedup.IsDuplicate(message.NewMessage(id, nil))
}

// codec is what is JSON and SHA-256 in a call: the request, its answer, and on a first run the answer's copy.
func codec(first bool) error {
	request, err := json.Marshal(payment{"account", 500})
	if err != nil {
		return err
	}
	sha256.Sum256(request)
	kept := encoded
	if first {
		if kept, err = json.Marshal(reply); err != nil {
			return err
		}
	}
	var back receipt
	return json.Unmarshal(kept, &back)
}

var encoded = func() []byte {
	b, err := json.Marshal(reply)
	if err != nil {
		panic(err)
	}
	return b
}()

func (s *memorySide) contests(ctx context.Context) ([]*contest, error) {
	g, err := idem.New("bench", s.store)
	if err != nil {
		return nil, err
	}
	claims, keys := make([]*backend.Claim, replays), make([]idem.Key, replays)
	for i := range replays {
		claims[i], keys[i] = fresh(), freshKey()
		_, err := idem.Do(ctx, g, keys[i], "user-1234", payment{"account", 500}, pay)
		_, seen := s.seen(string(keys[i]))
		if err := errors.Join(err, seen, s.hand.first(claims[i]), storeFirst(ctx, s.store, claims[i])); err != nil {
			return nil, err
		}
	}
	next, nextKey := turns(claims), turns(keys)
	return []*contest{
		{name: "memory: first run", contestants: []contestant{
			{"64 maps by hand", func(context.Context) error { return s.hand.first(fresh()) }, nil},
			{"idem's store", func(ctx context.Context) error { return storeFirst(ctx, s.store, fresh()) }, nil},
			{"JSON and SHA-256 alone", func(context.Context) error { return codec(true) }, nil},
			{"idem.Do", func(ctx context.Context) error {
				_, err := idem.Do(ctx, g, freshKey(), "user-1234", payment{"account", 500}, pay)
				return err
			}, nil},
			{"watermill's deduplicator, no answer", func(context.Context) error {
				dup, err := s.seen(string(freshKey()))
				if dup {
					err = errors.New("a duplicate")
				}
				return err
			}, nil},
		}},
		{name: "memory: replay", contestants: []contestant{
			{"64 maps by hand", func(context.Context) error { return s.hand.replay(again(next())) }, nil},
			{"idem's store", func(ctx context.Context) error { return storeReplay(ctx, s.store, again(next())) }, nil},
			{"JSON and SHA-256 alone", func(context.Context) error { return codec(false) }, nil},
			{"idem.Do", func(ctx context.Context) error {
				_, err := idem.Do(ctx, g, nextKey(), "user-1234", payment{"account", 500}, mustNotPay)
				return err
			}, nil},
			{"watermill's deduplicator, no answer", func(context.Context) error {
				_, err := s.seen(string(nextKey()))
				return err
			}, nil},
		}},
	}, nil
}
