package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

// welcome says where the server listens and what to try. The keys are new ones at every start: the records of the last
// time still answer for theirs.
func welcome(to io.Writer, c config, addr net.Addr) error {
	var b strings.Builder
	fmt.Fprintf(&b, "listening on %s\n", baseURL(addr))
	fmt.Fprintf(&b, "process %d: SIGTERM or Ctrl-C finishes what is in flight, then ends it\n", os.Getpid())
	fmt.Fprintf(&b, "users, predictions and payouts are in %s; idem's records are %s\n", c.db, c.where())
	b.WriteString("\"Authorization: Bearer NAME\" makes the caller NAME: a stand-in for real authentication\n")
	for _, try := range tries(baseURL(addr), strings.ToLower(rand.Text()[:6]), c.faults) {
		fmt.Fprintf(&b, "\n%s\n%s\n", try.title, try.line)
	}
	if c.faults {
		b.WriteString("\n-faults: anybody who reaches this server can make it fail, and kill it\n")
	}
	_, err := io.WriteString(to, b.String())
	return err
}

func (c config) where() string {
	if c.backend == "" {
		return "beside them, so a payout, its claim and its answer commit together"
	}
	return "in the backend that was named, so a payout commits apart from its claim and its answer"
}

// baseURL is where this machine reaches addr, also where that is every address.
func baseURL(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return "http://" + addr.String()
	}
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
}

// try is a line for a shell, and what it shows.
type try struct{ title, line string }

func tries(base, run string, faults bool) []try {
	post := func(path, key, body string) string {
		return fmt.Sprintf(`curl -iw '\n' %s%s -H 'Authorization: Bearer alice'%s -H 'Content-Type: application/json' -d '%s'`, base, path, key, body)
	}
	key := func(name string) string { return fmt.Sprintf(` -H 'Idempotency-Key: "%s-%s"'`, name, run) }
	const prediction = `{"market_id":"m1","outcome":"yes","stake":100}`
	first := post("/predictions", key("first"), prediction)
	slow := post("/predictions", key("slow"), prediction)
	payout := post("/payouts", key("payout"), `{"market_id":"m1","amount":5}`)
	duplicate := try{
		"A duplicate in flight: 409, or the replay if the first was quicker (X-Demo-Delay under -faults makes it sure)",
		slow + " & " + slow + " ; wait",
	}
	if faults {
		duplicate = try{
			"A duplicate in flight: 409 at once, while the first takes two seconds",
			slow + " -H 'X-Demo-Delay: 2s' & sleep 0.5; " + slow + " ; wait",
		}
	}
	return []try{
		{"The first call: 201", first},
		{"The same again, a replay: the same 201, with Idempotent-Replayed: true", first},
		{"Another body under the same key: 422", post("/predictions", key("first"), `{"market_id":"m1","outcome":"no","stake":100}`)},
		{"No key: 400", post("/predictions", "", prediction)},
		duplicate,
		{"A payout, and its replay: one row", payout + " ; " + payout},
		{"What there is now", fmt.Sprintf(`curl -H 'Authorization: Bearer alice' %s/predictions %s/payouts`, base, base)},
	}
}
