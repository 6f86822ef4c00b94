package mutation

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// chosen is the variable of the environment that wakes one fault of a build.
const chosen = "IDEM_MUTATION"

// overlay are files for `go build -overlay`, in which all faults of a table sleep.
type overlay struct {
	dir     string            // where they are written
	replace map[string]string // by the name of the file that each stands for
	scripts []string          // which script is which while a fault is awake
}

func newOverlay(dir string, faults []fault) (overlay, error) {
	o := overlay{dir: dir, replace: make(map[string]string)}
	byFile := make(map[string][]fault)
	for _, f := range faults {
		byFile[f.file] = append(byFile[f.file], f)
	}
	var err error
	for file, faults := range byFile {
		add := o.addGo
		if path.Ext(file) != ".go" {
			add = o.addEmbedded
		}
		if err = add(file, faults); err != nil {
			return overlay{}, err
		}
	}
	return o, nil
}

// addGo puts faults to sleep in a file of Go.
func (o *overlay) addGo(file string, faults []fault) error {
	src, err := parse(file)
	if err != nil {
		return err
	}
	for _, f := range faults {
		if err := src.add(f); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := o.put(file, src.faulty()); err != nil {
		return err
	}
	return o.put(path.Join(path.Dir(file), "mutation.go"), "package "+src.name()+`

import "os"

var mutation = os.Getenv("`+chosen+`")
`)
}

// loads is where backend/redis reads an embedded script, and picks reads the one with the fault that is awake.
const (
	loader = "backend/redis/script.go"
	loads  = `sources.ReadFile("lua/" + name + ".lua")`
	picks  = `sources.ReadFile("lua/" + mutated(name) + ".lua")`
)

// addEmbedded puts one file more beside an embedded one for each of its faults.
func (o *overlay) addEmbedded(file string, faults []fault) error {
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return err
	}
	for _, f := range faults {
		at, err := f.split(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		name := strings.TrimSuffix(path.Base(file), ".lua")
		twin := fmt.Sprintf("%s_mutation%d", name, len(o.scripts))
		o.scripts = append(o.scripts, fmt.Sprintf("case %q:\n\t\tif name == %q {\n\t\t\treturn %q\n\t\t}", f.name, name, twin))
		wrong := string(text[:at]) + f.wrong + string(text[at+len(f.right):])
		if err := o.put(path.Join(path.Dir(file), twin+".lua"), wrong); err != nil {
			return err
		}
	}
	return o.addPicking()
}

// addPicking has backend/redis read the faulty script where one is awake.
func (o *overlay) addPicking() error {
	text, err := os.ReadFile(filepath.Join(root, loader))
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), loads); n != 1 {
		return fmt.Errorf("%s: %d times in the file, and not once: %s", loader, n, loads)
	}
	if err := o.put(loader, strings.Replace(string(text), loads, picks, 1)); err != nil {
		return err
	}
	return o.put("backend/redis/mutated.go", `package redisbackend

import "os"

func mutated(name string) string {
	switch os.Getenv("`+chosen+`") {
	`+strings.Join(o.scripts, "\n\t")+`
	}
	return name
}
`)
}

// put writes a file that stands for another.
func (o *overlay) put(file, text string) error {
	name := filepath.Join(o.dir, strings.ReplaceAll(file, "/", "-"))
	o.replace[filepath.Join(root, file)] = name
	return os.WriteFile(name, []byte(text), 0o600)
}

// index writes what -overlay takes, and returns its name.
func (o *overlay) index() (string, error) {
	text, err := json.Marshal(map[string]any{"Replace": o.replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(o.dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}
