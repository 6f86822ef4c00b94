package backendtest

import "github.com/idem-go/idem/backend"

var checkRules = []Rule{
	offered("Check explains what it finds",
		"Finding: how bad, which setting, what it is now, and what may go wrong.",
		func(r *rig, c backend.Checker) {
			found, err := c.Check(r.Context())
			r.ok("Check", err)
			for _, f := range found {
				ranked := f.Severity == backend.Warning || f.Severity == backend.Error
				if !ranked || f.Setting == "" || f.Value == "" || f.Advice == "" {
					r.Fatalf("a finding is incomplete: %+v", f)
				}
				r.Logf("%s: %s is %s: %s", f.Severity, f.Setting, f.Value, f.Advice)
			}
		}),
}
