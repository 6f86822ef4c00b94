package adaptertest

import "fmt"

// Requirement is one demand of draft-ietf-httpapi-idempotency-key-header-07, in our words.
type Requirement struct {
	No      int
	Section string
	Level   string // MUST, MUST NOT, SHOULD, RECOMMENDED or MAY (RFC 2119)
	Of      string // client, resource or owner: who has to keep it
	Text    string
	Answer  string   // what idem does about it
	Rows    []string // the names of the rules that check it; none where no server can
}

// String returns the requirement on one line.
func (q Requirement) String() string {
	return fmt.Sprintf("draft %d: section %s, %s %s: %s", q.No, q.Section, q.Of, q.Level, q.Text)
}

// Requirements returns what the draft demands, in its order.
func Requirements() []Requirement {
	all := []Requirement{
		{
			Section: "2.1", Level: "MUST", Of: "client", Text: "the value of the header is a structured-field String",
			Answer: "taken, decoded, with its parameters ignored; the bare value that many clients send names the same key; Strict takes the String alone",
			Rows: []string{
				"a key is a quoted string or the bare value", "a quoted key is decoded", "a malformed key is refused",
				"strict routes take quoted keys only",
			},
		},
		{
			Section: "2.1", Level: "MUST", Of: "client", Text: "the header is an Item, so a request has one of it",
			Answer: "400 invalid_key for a list and for a second header line", Rows: []string{"a key that is sent twice is refused"},
		},
		{
			Section: "2.2", Level: "MUST NOT", Of: "client", Text: "a key is used again with another payload",
			Answer: "422 mismatch; method, path and query count too",
			Rows: []string{
				"a key with another body is refused", "a key on another path is refused", "a key with another method is refused",
			},
		},
		{
			Section: "2.2", Level: "MUST", Of: "owner", Text: "it is defined what a key is unique for",
			Answer: "guard and user; PerRoute adds method and path",
			Rows: []string{
				"a key belongs to its user", "guards do not answer for each other", "routes may have records of their own",
			},
		},
		{
			Section: "2.2", Level: "RECOMMENDED", Of: "client", Text: "a key is a UUID or as random as one",
			Answer: "idem.KeyPolicy can demand it; idem.UUIDKeys does",
		},
		{
			Section: "2.3", Level: "MAY", Of: "resource", Text: "a key expires and is deleted",
			Answer: "after its retention, 24 h by default", Rows: []string{"an answer replays for its retention"},
		},
		{
			Section: "2.3", Level: "SHOULD", Of: "resource", Text: "the expiry is defined and published",
			Answer: "defined by idem.Retention, for a route too; published by the service's documentation",
			Rows:   []string{"a route may have its own retention"},
		},
		{
			Section: "2.4", Level: "MAY", Of: "resource", Text: "a fingerprint of the payload tells requests apart",
			Answer: "SHA-256 of method, path, query, media type, content coding and body; JSON by its meaning",
			Rows: []string{
				"JSON compares by its meaning", "numbers compare digit by digit", "what is not JSON compares byte for byte",
				"names of a query may change places", "a body without its length is the same request",
			},
		},
		{
			Section: "2.5.1", Level: "MAY", Of: "client", Text: "a key is sent to a resource that does not ask for one",
			Answer: "with Optional it counts; requests with methods that are not guarded pass, whatever it is",
			Rows:   []string{"a key may be optional", "other methods pass untouched"},
		},
		{
			Section: "2.5.2", Level: "MUST", Of: "resource", Text: "the specification of keys, with their expiry, is published",
			Answer: "by the service's documentation; Documentation puts its page into every refusal",
			Rows:   []string{"refusals point to the documentation", "a refusal in flight points to the documentation"},
		},
		{
			Section: "2.5.2", Level: "SHOULD", Of: "resource", Text: "the key is found in the header, and the scenarios of 2.6 are told apart",
			Answer: "before the handler runs", Rows: []string{"a key is checked before anything else is done"},
		},
		{
			Section: "2.6", Level: "SHOULD", Of: "resource", Text: "a first request is processed normally",
			Answer: "the handler runs, and its answer is sent as it is once it is stored",
			Rows:   []string{"the first request with a key runs the handler", "the first answer keeps all its headers"},
		},
		{
			Section: "2.6", Level: "SHOULD", Of: "resource", Text: "a retry gets the result of the completed request, success or error",
			Answer: "the stored status, body and headers of the representation; answers of the moment are not results and run again",
			Rows: []string{
				"a retry gets the answer again", "errors and redirects replay", "final answers are kept", "answers of the moment free the key",
			},
		},
		{
			Section: "2.6", Level: "SHOULD", Of: "resource", Text: "a retry while the first request is processed is a conflict",
			Answer: "409 in_flight at once, from any process; idem.Wait lets it wait before that",
			Rows: []string{
				"a duplicate in flight is refused", "a duplicate in another process is in flight", "of simultaneous requests one runs",
			},
		},
		{
			Section: "2.7", Level: "SHOULD", Of: "resource", Text: "a missing key is 400 with a link to the documentation",
			Answer: "400 missing_key; the link where Documentation is set",
			Rows:   []string{"a request without a key is refused", "refusals point to the documentation", "titles are those of the draft"},
		},
		{
			Section: "2.7", Level: "SHOULD", Of: "resource", Text: "a key that is used again with another payload is 422 with a link",
			Answer: "422 mismatch", Rows: []string{"a key with another body is refused", "refusals point to the documentation", "titles are those of the draft"},
		},
		{
			Section: "2.7", Level: "SHOULD", Of: "resource", Text: "a retry in flight is 409 with a problem description",
			Answer: "409 in_flight with Retry-After",
			Rows:   []string{"a duplicate in flight is refused", "a refusal in flight points to the documentation"},
		},
		{
			Section: "2.7", Level: "MUST", Of: "client", Text: "a refused request is corrected before it is retried, or it is refused again",
			Answer: "every refusal says in its detail what to do; the same mistake gets the same refusal",
			Rows:   []string{"refusals are problems", "a malformed key is refused"},
		},
		{
			Section: "5", Level: "RECOMMENDED", Of: "resource", Text: "keys have a fixed format and are checked against it before anything is done",
			Answer: "1 to 255 printable ASCII characters; idem.KeyPolicy narrows that",
			Rows:   []string{"a malformed key is refused", "a key has at most 255 bytes", "a key is checked before anything else is done"},
		},
		{
			Section: "5", Level: "RECOMMENDED", Of: "resource", Text: "records are found under the key and what the server knows of the client",
			Answer: "the user is a part of every record's identity, and there is none without a user",
			Rows:   []string{"a key belongs to its user", "nobody is refused with a challenge"},
		},
	}
	for i := range all {
		all[i].No = i + 1
	}
	return all
}
