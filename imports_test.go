package idem_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const modulePath = "github.com/idem-go/idem"

// mayImport is who may import whom, beside the standard library: packages of this project by their directory, others
// by their module. "x/..." is x and what is below it. The longest entry that matches a package is its rule, and a
// package without one is refused: whoever adds a package decides here what it may weigh.
var mayImport = map[string][]string{
	".":                   {"backend", "internal/..."},
	"backend":             {},
	"backend/backendtest": {"backend"},
	"backend/memtest":     {"backend"},
	"backend/sql":         {"backend", "internal/...", "github.com/jmoiron/sqlx"},
	"backend/redis":       {"backend", "internal/...", "github.com/redis/go-redis/v9"},
	"internal/bounds":     {},
	"internal/canon":      {},
	"internal/together":   {},
	"httpadapter":         {".", "backend", "internal/..."},
	"ginadapter":          {".", "httpadapter", "github.com/gin-gonic/gin"},
	"drivers/pgx":         {"backend", "backend/sql", "github.com/jmoiron/sqlx", "github.com/jackc/pgx/v5"},
	"drivers/pq":          {"backend", "backend/sql", "github.com/jmoiron/sqlx", "github.com/lib/pq"},
	"drivers/mysql":       {"backend", "backend/sql", "github.com/jmoiron/sqlx", "github.com/go-sql-driver/mysql"},
	"drivers/sqlite":      {"backend", "backend/sql", "github.com/jmoiron/sqlx", "modernc.org/sqlite"},
	// Programs and the tests on real servers are nobody's dependency. The former live on the exported API.
	"cmd/idem/...":       {".", "backend/...", "drivers/..."},
	"examples/...":       {".", "backend/...", "drivers/...", "httpadapter", "examples/...", "github.com/jmoiron/sqlx"},
	"bench/...":          {"..."},
	"internal/itest/...": {"..."},
	"examples/gin/...":   {".", "backend", "drivers/...", "httpadapter", "ginadapter", "github.com/gin-gonic/gin"},
	// The kit of the adapters brings a store.
	"httpadapter/adaptertest": {".", "backend", "backend/memtest", "httpadapter"},
	"internal/oracle/...":     {"..."},
}

// testLibraries must not reach a user's binary by any path.
var testLibraries = []string{
	"github.com/stretchr/testify",
	"pgregory.net/rapid",
	"github.com/anishathalye/porcupine",
	"go.uber.org/goleak",
	"github.com/alicebob/miniredis/v2",
}

// sqlDrivers reach a binary only by a package of drivers/, which a program imports by name.
var sqlDrivers = []string{
	"github.com/jackc/pgx/v5",
	"github.com/lib/pq",
	"github.com/go-sql-driver/mysql",
	"github.com/mattn/go-sqlite3",
	"modernc.org/sqlite",
}

// vagueNames are names of packages that say nothing.
var vagueNames = []string{"util", "utils", "common", "helper", "helpers", "manager", "base"}

// goPackage is what `go list` says of a package. Imports and Deps leave tests out.
type goPackage struct {
	ImportPath, Name string
	Standard         bool
	Imports, Deps    []string
}

func TestNoPackageImportsMoreThanItMay(t *testing.T) {
	t.Parallel()
	for _, dir := range moduleDirs(t) {
		t.Run("module "+dir, func(t *testing.T) {
			t.Parallel()
			all := listPackages(t, dir)
			ours := 0
			for _, p := range all {
				if _, ok := projectDir(p.ImportPath); ok {
					ours++
					require.Empty(t, importFaults(p, all))
				}
			}
			require.NotZero(t, ours, "the module has no package")
		})
	}
}

// The test above says something only if a fault would be found.
func TestTheImportTableRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, dir string
		pkgName   string
		imports   []string
		deps      []string
		want      string
	}{
		{name: "a package that nobody listed", dir: "backend/mongo", want: "has no rule"},
		{name: "a package below one that is listed alone", dir: "backend/sql/inner", want: "has no rule"},
		{name: "a store in the engine", dir: ".", imports: []string{modulePath + "/backend/sql"}, want: "may not import"},
		{name: "the engine in a store", dir: "backend/sql", imports: []string{modulePath}, want: "may not import"},
		{name: "another module in the engine", dir: ".", imports: []string{"example.com/log/sub"}, want: "may not import"},
		{name: "a module whose name only begins alike", dir: "backend/sql", imports: []string{"github.com/jmoiron/sqlxx"}, want: "may not import"},
		{name: "a test library behind a permitted module", dir: "backend/sql", deps: []string{"github.com/stretchr/testify/assert"}, want: "test library"},
		{name: "a driver behind a permitted module", dir: "backend/sql", deps: []string{"github.com/lib/pq/oid"}, want: "driver"},
		{name: "a name that says nothing", dir: "internal/canon", pkgName: "common", want: "says nothing"},
		{name: "a directory that says nothing", dir: "examples/util", pkgName: "main", want: "says nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := goPackage{ImportPath: path.Join(modulePath, c.dir), Name: c.pkgName, Imports: c.imports, Deps: c.deps}
			found := importFaults(p, map[string]goPackage{})
			require.Len(t, found, 1)
			require.Contains(t, found[0], c.want)
		})
	}
	p := goPackage{ImportPath: modulePath + "/backend/sql", Name: "sqlbackend", Imports: []string{"github.com/jmoiron/sqlx/reflectx", modulePath + "/backend", modulePath + "/internal/canon"}}
	require.Empty(t, importFaults(p, map[string]goPackage{}), "what is permitted must not be refused")
}

// importFaults returns what is wrong with p. A package that all does not know is none of the standard library.
func importFaults(p goPackage, all map[string]goPackage) []string {
	dir, _ := projectDir(p.ImportPath)
	var found []string
	if slices.Contains(vagueNames, p.Name) || slices.Contains(vagueNames, path.Base(dir)) {
		found = append(found, p.ImportPath+": the name says nothing")
	}
	allowed, ok := importRule(dir)
	if !ok {
		return append(found, p.ImportPath+" has no rule in mayImport")
	}
	for _, imported := range p.Imports {
		if !all[imported].Standard && !anyPatternMatches(allowed, importPlace(imported)) {
			found = append(found, fmt.Sprintf("%s may not import %s", p.ImportPath, imported))
		}
	}
	for _, dep := range p.Deps {
		switch {
		case anyPatternMatches(testLibraries, dep):
			found = append(found, fmt.Sprintf("%s depends on the test library %s", p.ImportPath, dep))
		case anyPatternMatches(sqlDrivers, dep) && !mayDrive(dir):
			found = append(found, fmt.Sprintf("%s depends on the driver %s", p.ImportPath, dep))
		}
	}
	return found
}

func mayDrive(dir string) bool {
	return anyPatternMatches([]string{"bench/...", "drivers/...", "cmd/...", "examples/...", "internal/itest/..."}, dir)
}

func importRule(dir string) (allowed []string, ok bool) {
	longest := -1
	for entry, rule := range mayImport {
		if len(entry) > longest && patternMatches(entry, dir) {
			longest, allowed = len(entry), rule
		}
	}
	return allowed, longest >= 0
}

// importPlace is how mayImport names what is imported: by its directory, or by its import path.
func importPlace(importPath string) string {
	if dir, ok := projectDir(importPath); ok {
		return dir
	}
	return importPath
}

// projectDir returns the directory of a package of this project.
func projectDir(importPath string) (dir string, ok bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

func anyPatternMatches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return patternMatches(pattern, name) })
}

// patternMatches reports whether name is pattern, or below it if pattern ends in "..." or names a module. Modules have
// a dot in their first element.
func patternMatches(pattern, name string) bool {
	if pattern == "..." || pattern == name {
		return true
	}
	stem, tree := strings.CutSuffix(pattern, "/...")
	host, _, _ := strings.Cut(stem, "/")
	if !tree && (stem == "." || !strings.Contains(host, ".")) {
		return false
	}
	return name == stem || strings.HasPrefix(name, stem+"/")
}

// listPackages returns the packages of the module in dir and all that they depend on, without the workspace.
func listPackages(t *testing.T, dir string) map[string]goPackage {
	t.Helper()
	out := goTool(t, dir, "list", "-deps", "-json=ImportPath,Name,Standard,Imports,Deps", "./...")
	all := map[string]goPackage{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all[p.ImportPath] = p
	}
}
