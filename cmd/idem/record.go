package main

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
)

// recordJSON is a record for programs. A duration that does not apply is null.
type recordJSON struct {
	Ref         string `json:"ref"`
	Guard       string `json:"guard"`
	User        string `json:"user"`
	Key         string `json:"key"`
	State       string `json:"state"`
	Attempt     int    `json:"attempt"`
	Hold        bool   `json:"hold"`
	AgeMS       int64  `json:"age_ms"`
	LeaseLeftMS *int64 `json:"lease_left_ms"`
	ExpiresInMS *int64 `json:"expires_in_ms"`
	Note        string `json:"note"`
	AnswerBytes int    `json:"answer_bytes"`
}

func machine(rec idem.Record) recordJSON {
	r := recordJSON{
		Ref: rec.Ref.String(), Guard: rec.Guard, User: rec.User, Key: rec.Key,
		State: stateName(rec.State), Attempt: rec.Attempt, Hold: rec.Hold, AgeMS: rec.Age.Milliseconds(),
		Note: rec.Note, AnswerBytes: rec.AnswerSize,
	}
	if rec.State == backend.Pending {
		r.LeaseLeftMS = new(rec.LeaseLeft.Milliseconds())
	}
	if expires(rec) {
		r.ExpiresInMS = new(rec.ExpiresIn.Milliseconds())
	}
	return r
}

func stateName(s backend.State) string { return strings.ToLower(s.String()) }

func expires(rec idem.Record) bool {
	return rec.State == backend.Done || rec.State == backend.Pending && !rec.Hold
}

// abandoned reports whether rec is a claim that will become unknown as soon as somebody looks at it.
func abandoned(rec idem.Record) bool {
	return rec.State == backend.Pending && rec.Hold && rec.LeaseLeft <= 0
}

// recordTable shows records one a line.
func recordTable(w io.Writer, records []idem.Record) {
	rows := [][]string{{"REF", "GUARD", "USER", "KEY", "STATE", "ATTEMPT", "AGE", "LEASE LEFT", "NOTE"}}
	for _, rec := range records {
		rows = append(rows, []string{
			rec.Ref.String(), cell(rec.Guard), cell(rec.User), cell(rec.Key), stateName(rec.State),
			strconv.Itoa(rec.Attempt), span(rec.Age), leaseLeft(rec), cell(rec.Note),
		})
	}
	table(w, rows...)
}

// recordSheet shows one record one fact a line, and what can be done about it.
func recordSheet(w io.Writer, rec idem.Record) {
	expiry := "never"
	if expires(rec) {
		expiry = "in " + span(rec.ExpiresIn)
	}
	after := "it may run again"
	if rec.Hold {
		after = "its outcome is unknown (Hold)"
	}
	table(
		w,
		[]string{"ref", rec.Ref.String()},
		[]string{"guard", cell(rec.Guard)},
		[]string{"user", cell(rec.User)},
		[]string{"key", cell(rec.Key)},
		[]string{"state", stateName(rec.State) + " for " + span(rec.Age)},
		[]string{"attempt", strconv.Itoa(rec.Attempt)},
		[]string{"lease left", leaseLeft(rec)},
		[]string{"after a crash", after},
		[]string{"expires", expiry},
		[]string{"note", cell(rec.Note)},
		[]string{"answer", count(rec.AnswerSize, "byte", "bytes")},
		[]string{"what now", advice(rec)},
	)
}

func leaseLeft(rec idem.Record) string {
	switch {
	case rec.State != backend.Pending:
		return "-"
	case rec.LeaseLeft <= 0:
		return "over for " + span(-rec.LeaseLeft.Truncate(time.Millisecond))
	}
	return span(rec.LeaseLeft)
}

func advice(rec idem.Record) string {
	switch {
	case rec.State == backend.Unknown:
		return "find out whether it happened; then idem release (it did not) or idem resolve (it did)"
	case abandoned(rec):
		return "its program is gone and its outcome is unknown: run idem prune, then settle it"
	case rec.State == backend.Pending && rec.LeaseLeft <= 0:
		return "nothing: its program is gone, the next retry runs it again"
	case rec.State == backend.Pending:
		return "nothing: it is running, and its lease is renewed"
	}
	return "nothing: retries get the stored answer"
}
