package histories

import (
	"fmt"
	"strings"

	"github.com/idem-go/idem/backend"
)

// kind is what an operation asks for.
type kind uint8

// The kinds. advance is time that passes for a record; everything else is a call of a store.
const (
	begin kind = iota
	renew
	complete
	release
	hold
	lookup
	prune
	resolve
	free
	forget
	advance
	kinds
)

func (k kind) String() string {
	return [...]string{"Begin", "Renew", "Complete", "Release", "Hold", "Lookup", "Prune", "Resolve", "Free", "Forget", "time passes"}[k]
}

// input is what is asked, in small numbers: tokens, requests, answers and notes are told apart by them. The time of a
// history is counted in units.
type input struct {
	kind    kind
	key     int
	token   int
	request int  // whose fingerprint it is
	holds   bool // Begin: the claim holds
	lease   int  // Begin, Renew: it is over when more units than this have passed. advance: so many pass
	keep    int  // Begin, Renew: what the record outlives the lease by. Complete, Resolve: the retention
	answer  int  // Complete, Resolve: never 0
	note    int  // Renew, Hold: 0 for none
	resumes bool // Prune: the one before, of the same handle, ended early, so that this one may begin behind the record
}

// output is what the caller was told.
type output struct {
	unknown bool // nothing: it may have happened, at any time from the call on, or never
	verdict backend.Verdict
	attempt int
	answer  int // 0: none was told
	count   int // Prune: claims that became Unknown. Forget: records that were there
	shown   shown
}

// shown is what a Lookup shows of a record.
type shown struct {
	state                         backend.State
	token, request, attempt, note int
	holds, lapsed                 bool // of what is Pending
}

func (in input) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v key %d", in.kind, in.key)
	switch in.kind {
	case lookup, forget:
	case prune:
		return "Prune"
	case advance:
		fmt.Fprintf(&b, ": %d units", in.lease)
	default:
		fmt.Fprintf(&b, ", token %d", in.token)
	}
	switch in.kind {
	case begin:
		fmt.Fprintf(&b, ", request %d, lease %d, and %d", in.request, in.lease, in.keep)
		if in.holds {
			b.WriteString(", holds")
		}
	case renew:
		fmt.Fprintf(&b, ", lease %d, and %d", in.lease, in.keep)
	case complete:
		fmt.Fprintf(&b, ", request %d, answer %d, kept for %d", in.request, in.answer, in.keep)
	case resolve:
		fmt.Fprintf(&b, ", answer %d, kept for %d", in.answer, in.keep)
	}
	if in.note != 0 {
		fmt.Fprintf(&b, ", note %d", in.note)
	}
	return b.String()
}

// describe puts an operation into words.
func describe(in input, out output) string {
	return in.String() + "  ->  " + out.told(in.kind)
}

func (out output) told(k kind) string {
	switch {
	case out.unknown:
		return "no answer"
	case k == lookup:
		return out.shown.String()
	case k == prune, k == forget:
		return fmt.Sprint(out.count)
	case k == advance:
		return "passed"
	}
	told := out.verdict.String()
	if out.attempt != 0 {
		told += fmt.Sprintf(", attempt %d", out.attempt)
	}
	if out.answer != 0 {
		told += fmt.Sprintf(", answer %d", out.answer)
	}
	return told
}

func (s shown) String() string {
	if s.state == backend.Absent {
		return s.state.String()
	}
	text := fmt.Sprintf("%v, token %d, request %d, attempt %d", s.state, s.token, s.request, s.attempt)
	if s.note != 0 {
		text += fmt.Sprintf(", note %d", s.note)
	}
	if s.holds {
		text += ", holds"
	}
	if s.lapsed {
		text += ", lapsed"
	}
	return text
}
