// Package adaptertest is the conformance kit of HTTP adapters: what every middleware that stands on package httpadapter
// must do, one rule a row, whatever framework it is for. It talks to the adapter over a real listener, so it sees what
// clients see.
//
// # Using it
//
// Give [Run] a function that makes a harness: how to build a server's handler with the adapter in it, and a fresh, empty
// store.
//
//	func TestConformance(t *testing.T) {
//		adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
//			h := adaptertest.Memory()
//			h.Build = func(_ adaptertest.TB, s adaptertest.Service) http.Handler {
//				m := idem.Must(myadapter.New(s.Guard, s.User, s.Options...))
//				return myframework.New().Any("/*", m, s.Next)
//			}
//			return h
//		})
//	}
//
// Each rule is a subtest and logs the sentence that it stands for, and which requirements of the draft it answers:
// go test -v shows the contract as it is checked.
//
// # The draft
//
// [Requirements] lists what draft-ietf-httpapi-idempotency-key-header-07 demands, by number, section and level, with what
// is done about it and the rows that check it. The draft expired in April 2026 and is not an RFC.
//
// # Stores
//
// The kit needs a store whose time can be moved. [Memory] is one. Where [Harness.Inject] is nil, as for a database, the
// rows about a store that fails pass with a log line that begins with "skipped".
//
// # The kit is tested too
//
// The package's own test runs adapters that are broken in one way each, and demands that the row named for the fault
// fails. A new rule needs a new broken adapter.
package adaptertest
