package backendtest

import (
	"strings"

	"github.com/idem-go/idem/backend"
)

var identityRules = []Rule{
	rule("two handles see each other's records",
		"All methods may be called from any number of processes on the same storage.",
		func(r *rig) {
			own := r.claimed()
			own.rival().begins(backend.InFlight)
			own.again().renews(backend.Kept)
			own.again().completes("answer", backend.Kept)
			own.replays("answer")
		}),
	rule("ids that differ in one bit are two records",
		"Stores keep these 32 raw bytes and nothing else as the key.",
		func(r *rig) {
			first := r.claimed()
			for bit := range 8 * len(first.claim.ID) {
				near := first.rival()
				near.claim.ID[bit/8] ^= 1 << (bit % 8)
				near.claims(1)
			}
			first.completes("answer", backend.Kept)
		}),
	rule("fingerprints compare in every bit",
		"Fingerprint: the first byte is part of the comparison, and so is every other.",
		func(r *rig) {
			own := r.claimed()
			for bit := range 8 * len(own.claim.Fingerprint) {
				near := own.rival()
				near.claim.Fingerprint[bit/8] ^= 1 << (bit % 8)
				near.begins(backend.Mismatch)
			}
		}),
	rule("tokens compare in every bit",
		"Every write but the claim is fenced by the token: all of it.",
		func(r *rig) {
			own := r.claimed()
			for bit := range 8 * len(own.claim.Token) {
				near := own.again()
				near.claim.Token[bit/8] ^= 1 << (bit % 8)
				near.begins(backend.InFlight)
				near.lost()
			}
			own.completes("answer", backend.Kept)
		}),
	rule("readable identities are not merged",
		"No collation, length limit or character set can merge two records or split one.",
		func(r *rig) {
			for _, word := range oddWords() {
				r.attemptOn(r.guard, "user", word).claims(1)
				r.attemptOn(r.guard, word, "key").claims(1)
			}
			for _, word := range oddWords() {
				r.attemptOn(r.guard, "user", word).begins(backend.InFlight)
				r.attemptOn(r.guard, word, "key").begins(backend.InFlight)
			}
		}),
	offered("readable identities are kept as they are",
		"Record: guard, user and key, empty where the store leaves readable identities out.",
		func(r *rig, i backend.Inspector) {
			for _, word := range oddWords() {
				own := r.attemptOn(r.guard, word, word)
				own.begins(backend.Claimed)
				shown := r.lookup(i, own)
				left := shown.Guard == "" && shown.User == "" && shown.Key == ""
				if !left && (shown.Guard != r.guard || shown.User != word || shown.Key != word) {
					r.Fatalf("the record of %q shows %q, %q, %q", word, shown.Guard, shown.User, shown.Key)
				}
			}
		}),
}

// oddWords are texts that collations, paddings, trimming and narrow character sets take for each other or refuse. All
// are valid UTF-8 of at most 255 bytes without control characters, as every key and user is.
func oddWords() []string {
	return []string{
		"abc", "ABC", "Abc", "abc ", " abc", "abc  ", "abc\u00a0",
		"\u00e9", "e", "e\u0301", "\u00c9", "\u00c5", "\u212b", "A\u030a", "\u00df", "ss", "\u0131", "i", "\ufb01", "fi",
		"日本", "日本語", "🙂", "🙃", "\U0010ffff", "\u200b", "a\u200bb", "ab", "\ufeffabc",
		"0", "00", "1", "01", "1e0", "0x1", "%", "_", "a%", "a_", `\`, `'`, `"`, "'; --", "{abc}", "abc:def", "NULL", "null",
		strings.Repeat("k", 255), strings.Repeat("k", 254), strings.Repeat("語", 85),
	}
}
