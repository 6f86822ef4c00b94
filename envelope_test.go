package idem

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestEnvelopesSurviveTheJourney(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := envelope{
			kind:    Kind(rapid.IntRange(int(KindValue), int(KindTombstone)).Draw(t, "kind")),
			codec:   rapid.StringMatching(`[a-z/0-9]{1,64}`).Draw(t, "codec"),
			payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
		}
		if rapid.Bool().Draw(t, "room") {
			e.room, e.payload = true, append(make([]byte, 0, len(e.payload)+rapid.IntRange(0, 100).Draw(t, "capacity")), e.payload...)
		}
		got, err := openEnvelope(e.seal(), rapid.SampledFrom([]string{"json", e.codec}).Draw(t, "expected"))
		require.NoError(t, err)
		require.Equal(t, e.kind, got.kind)
		require.Equal(t, e.codec, got.codec)
		require.True(t, bytes.Equal(e.payload, got.payload))
	})
}

func TestADamagedEnvelopeIsNeverRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sealed := envelope{kind: KindValue, codec: "json", payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload")}.seal()
		bit := rapid.IntRange(0, 8*len(sealed)-1).Draw(t, "bit")
		sealed[bit/8] ^= 1 << (bit % 8)
		_, err := openEnvelope(sealed, "json")
		require.Error(t, err)
		_, err = openEnvelope(sealed[:rapid.IntRange(0, len(sealed)-1).Draw(t, "cut")], "json")
		require.Error(t, err)
	})
}

// FuzzEnvelope: whatever bytes a store returns, opening them does not panic, and what opens seals to the same bytes.
func FuzzEnvelope(f *testing.F) {
	f.Add(envelope{kind: KindValue, codec: "json", payload: []byte(`{"a":1}`)}.seal())
	f.Add(envelope{kind: KindTombstone, codec: "http/1"}.seal())
	f.Add([]byte{255, 1, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := openEnvelope(b, "json")
		if err == nil {
			require.Equal(t, b, e.seal())
		}
	})
}

// TestAPayloadWithoutRoomIsCopied: what stands behind a payload in its array may be somebody's.
func TestAPayloadWithoutRoomIsCopied(t *testing.T) {
	t.Parallel()
	whole := []byte("payload and what follows it")
	e := envelope{kind: KindValue, codec: "json", payload: whole[:7]}
	e.seal()
	require.Equal(t, "payload and what follows it", string(whole))

	e.payload = append(make([]byte, 0, 64), "payload"...)
	e.room = true
	require.Same(t, &e.payload[0], &e.seal()[0], "with room nothing is copied")
}
