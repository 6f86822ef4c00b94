// Package httpcost shows what httpadapter adds to a bare handler of net/http, beside what the idempotency middleware of fiber,
// v3 and v2, adds to its own bare handler: in one process, in memory, in windows that take turns, alone and with 32 callers. Ours
// hashes the body, fences with a token and answers 409 and 422; fiber's does not. It also compares the canonical form of
// JSON with that of gowebpki/jcs.
package httpcost

import (
	"fmt"
	"io"
	"time"
)

// Report measures so many windows of the given length for each subject, and prints what is added. Nanoseconds are processor
// time; figures are medians.
func Report(out io.Writer, windows int, length time.Duration) {
	fmt.Fprintf(out, "\n| HTTP: added to a bare handler | callers | ns | allocations | fiber v3, ns | allocations | × | fiber v2, ns | × |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, callers := range []int{1, 32} {
		report(out, callers, measure(subjects, callers, windows, length))
	}
	reportJSON(out, windows, length)
}

// report prints what is added, and its ratios.
func report(out io.Writer, callers int, results map[string]result) {
	for _, kind := range []string{"first", "replay"} {
		ours := results["idem "+kind].minus(results["net/http bare"])
		v3 := results["fiber v3 "+kind].minus(results["fiber v3 bare"])
		v2 := results["fiber v2 "+kind].minus(results["fiber v2 bare"])
		fmt.Fprintf(out, "| %s | %d | %.0f | %.1f | %.0f | %.1f | **%.2f** | %.0f | **%.2f** |\n", kind, callers,
			ours.nanoseconds, ours.allocations, v3.nanoseconds, v3.allocations, ours.nanoseconds/v3.nanoseconds,
			v2.nanoseconds, ours.nanoseconds/v2.nanoseconds)
	}
	none := results["idem no key"].minus(results["net/http bare no key"])
	fmt.Fprintf(out, "| no key on an optional route | %d | %.0f | %.1f | | | | | |\n", callers, none.nanoseconds, none.allocations)
}
