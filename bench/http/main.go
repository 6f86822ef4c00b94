// Command http shows what httpadapter adds to a bare handler of net/http, beside what the idempotency middleware of fiber v3
// adds to its own bare handler: in one process, in memory, in windows that take turns, alone and with 32 callers. Ours
// hashes the body, fences with a token and answers 409 and 422; fiber's does not. It also compares the canonical form of
// JSON with that of gowebpki/jcs.
//
//	go run . [-windows 40] [-window 20ms]
//
// Nanoseconds are processor time; figures are medians. What counts are the ratios of one run, not figures of two.
package main

import (
	"flag"
	"fmt"
	"runtime"
	"time"
)

func main() {
	windows := flag.Int("windows", 40, "how many windows each subject gets")
	length := flag.Duration("window", 20*time.Millisecond, "how long a window is")
	flag.Parse()
	fmt.Println(runtime.Version(), runtime.GOARCH, "cores", runtime.GOMAXPROCS(0))
	for _, callers := range []int{1, 32} {
		results := measure(subjects, callers, *windows, *length)
		fmt.Printf("\n%d caller(s)\n", callers)
		for _, s := range subjects {
			r := results[s.name]
			fmt.Printf("  %-22s %8.0f ns %7.1f allocations %8.0f bytes\n", s.name, r.nanoseconds, r.allocations, r.bytes)
		}
		report(results)
	}
	reportJSON(*windows, *length)
}

// report prints what is added, and its ratio.
func report(results map[string]result) {
	for _, kind := range []string{"first", "replay"} {
		ours := results["idem "+kind].minus(results["net/http bare"])
		theirs := results["fiber "+kind].minus(results["fiber bare"])
		fmt.Printf("  %-6s adds %6.0f ns, %4.1f allocations; fiber's %6.0f ns, %4.1f: ratio %.2f\n", kind,
			ours.nanoseconds, ours.allocations, theirs.nanoseconds, theirs.allocations, ours.nanoseconds/theirs.nanoseconds)
	}
	none := results["idem no key"].minus(results["net/http bare no key"])
	fmt.Printf("  no key adds %6.1f ns, %4.1f allocations\n", none.nanoseconds, none.allocations)
}
