package idem_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryModuleNamesTheSameGo(t *testing.T) {
	t.Parallel()
	for _, dir := range append(moduleDirs(t), "tools") {
		var mod struct{ Go, Toolchain string }
		require.NoError(t, json.Unmarshal(goTool(t, dir, "mod", "edit", "-json"), &mod))
		require.Equal(t, "1.26.0", mod.Go, "the go line of the module in %s", dir)
		require.Empty(t, mod.Toolchain, "the toolchain line of the module in %s: who builds chooses his own", dir)
	}
}

// TestTheNewestIsTheSameModule: a newest.mod differs from the go.mod beside it in versions alone.
func TestTheNewestIsTheSameModule(t *testing.T) {
	t.Parallel()
	type requirement struct {
		Path     string
		Indirect bool
	}
	type module struct {
		Module  struct{ Path string }
		Go      string
		Require []requirement
		Replace []struct{ Old, New struct{ Path string } }
	}
	read := func(dir, file string) (m module) {
		require.NoError(t, json.Unmarshal(goTool(t, dir, "mod", "edit", "-json", file), &m))
		m.Require = slices.DeleteFunc(m.Require, func(r requirement) bool { return r.Indirect })
		return m
	}
	found := 0
	walkFiles(t, ".", func(file string) {
		if filepath.Base(file) == "newest.mod" {
			found++
			dir := filepath.Dir(file)
			require.Equal(t, read(dir, "go.mod"), read(dir, "newest.mod"), dir)
		}
	})
	require.NotZero(t, found)
}

func TestTheWorkspaceHasEveryModule(t *testing.T) {
	t.Parallel()
	var work struct {
		Go, Toolchain string
		Use           []struct{ DiskPath string }
	}
	require.NoError(t, json.Unmarshal(goTool(t, ".", "work", "edit", "-json", "go.work"), &work))
	var used []string
	for _, u := range work.Use {
		used = append(used, path.Clean(u.DiskPath))
	}
	require.ElementsMatch(t, moduleDirs(t), used)
	require.Equal(t, "1.26.0", work.Go)
	require.Empty(t, work.Toolchain)
}

// moduleDirs returns the directory of every module of the project but tools, whose programs nobody imports.
func moduleDirs(t *testing.T) []string {
	t.Helper()
	var dirs []string
	walkFiles(t, ".", func(file string) {
		if dir := filepath.ToSlash(filepath.Dir(file)); filepath.Base(file) == "go.mod" && dir != "tools" {
			dirs = append(dirs, dir)
		}
	})
	require.Contains(t, dirs, ".")
	return dirs
}

// walkFiles calls f with every file under root but those of hidden directories and of test data.
func walkFiles(t *testing.T, root string, f func(file string)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			f(file)
		case d.Name() == "testdata", d.Name() != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		}
		return nil
	}))
}

func goTool(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return out
}
