package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckOfSafeSettings(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	safe := typed{backend: "sqlite:" + s.file}
	safe.idem(t, "check").ok("no findings")
	require.Equal(t, "{\n  \"findings\": []\n}\n", safe.idem(t, "check", "-json").ok().stdout)
}

func TestAWarningIsShownAndNoFault(t *testing.T) {
	t.Parallel()
	out := newShop(t).idem("check").ok("SEVERITY", "synchronous", "set it to FULL").stdout
	require.Regexp(t, `(?m)^warning +synchronous +1 +a power cut`, out)
}

func TestASettingThatBreaksAPromiseIsAFault(t *testing.T) {
	t.Parallel()
	risky := typed{backend: "test-risky:"}
	r := risky.idem(t, "check").fails(exitFault, "idem check: 1 setting breaks a promise")
	require.Regexp(t, `(?m)^error +journal_mode +off +set it to WAL$`, r.stdout)
	var got checkJSON
	risky.idem(t, "check", "-json").fails(exitFault, "1 setting").json(&got)
	require.Equal(t, findingJSON{Severity: "error", Setting: "journal_mode", Value: "off", Advice: "set it to WAL"}, got.Findings[1])
}
