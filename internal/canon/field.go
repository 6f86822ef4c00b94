package canon

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is one member of a struct's JSON object.
type field struct {
	label     string // the name as encoding/json writes it, with its colon
	path      string // the Go name, after those of the embedded structs that it stands in
	index     []int
	node      *node
	omitEmpty bool
	omitZero  func(reflect.Value) bool // nil without omitzero
	quoted    bool                     // ",string", where encoding/json obeys it
}

// structure plans a struct: the fields that encoding/json sees, without those that are left out.
func (c compiler) structure(n *node) *Error {
	if err := seesNothing(n.typ); err != nil {
		return err
	}
	found, left, err := visible(n.typ)
	if err != nil {
		return err
	}
	n.walk, n.special = (*writer).structure, left
	for _, m := range found {
		f := m.field()
		if f.node, err = c.node(m.sf.Type); err != nil {
			return err.under(f.path)
		}
		n.fields = append(n.fields, f)
	}
	return nil
}

// seesNothing refuses a struct of which JSON would see nothing at all. Blank fields, and those that are left out on
// purpose, do not count.
func seesNothing(t reflect.Type) *Error {
	hidden := 0
	for i := range t.NumField() {
		f := t.Field(i)
		_, tagged := f.Tag.Lookup("idem")
		switch {
		case f.Name == "_" || tagged:
		case unseen(f):
			hidden++
		default:
			return nil
		}
	}
	if hidden == 0 {
		return nil
	}
	return refuse(t, "no exported field and neither MarshalJSON nor MarshalText; JSON sees nothing of it")
}

// unseen reports whether encoding/json passes over f without a word. Embedded structs are looked into, exported or not.
func unseen(f reflect.StructField) bool {
	return !f.IsExported() && (!f.Anonymous || pointedAt(f.Type).Kind() != reflect.Struct)
}

// candidate is a field on its way into the plan.
type candidate struct {
	sf    reflect.StructField
	name  string // in JSON
	index []int
	path  string
}

// visible returns the members of t's JSON object in the order in which encoding/json writes them, and whether a field
// was left out. It goes through the embedded structs level by level: a name hides the same name on deeper levels.
func visible(t reflect.Type) (found []candidate, left bool, err *Error) {
	taken := map[string]candidate{}
	visited := map[reflect.Type]bool{}
	for level := []candidate{{sf: reflect.StructField{Type: t}}}; len(level) > 0; {
		var here, below []candidate
		for _, m := range level {
			visited[pointedAt(m.sf.Type)] = true
		}
		for _, m := range level {
			fields, out, err := m.fields()
			if err != nil {
				return nil, false, err.under(m.path)
			}
			left = left || out
			for _, f := range fields {
				switch {
				case !f.inlined():
					here = append(here, f)
				case !visited[pointedAt(f.sf.Type)]:
					below = append(below, f)
				}
			}
		}
		if here, err = dominant(here, taken); err != nil {
			return nil, false, err
		}
		found, level = append(found, here...), below
	}
	slices.SortFunc(found, func(a, b candidate) int { return slices.Compare(a.index, b.index) })
	return found, left, nil
}

// fields returns the fields of the struct that m is, without those that are left out.
func (m candidate) fields() (fields []candidate, left bool, err *Error) {
	t := pointedAt(m.sf.Type)
	for i := range t.NumField() {
		sf := t.Field(i)
		out, err := leftOut(sf)
		if err != nil {
			return nil, false, err.under("." + sf.Name)
		}
		left = left || out
		if out || sf.Name == "_" {
			continue
		}
		f := candidate{sf: sf, name: cmp.Or(jsonName(sf), sf.Name)}
		f.index = append(slices.Clone(m.index), i)
		f.path = m.path + "." + sf.Name
		fields = append(fields, f)
	}
	return fields, left, nil
}

// leftOut reports whether sf is tagged `idem:"-"`, and refuses what encoding/json would pass over.
func leftOut(sf reflect.StructField) (bool, *Error) {
	tag, tagged := sf.Tag.Lookup("idem")
	switch {
	case tag == "-":
		return true, nil
	case tagged:
		return false, refuse(sf.Type, "its idem tag is not `idem:\"-\"`, the only one there is")
	case sf.Name == "_":
		return false, nil
	case unseen(sf):
		return false, refuse(sf.Type, "not exported, so JSON does not see it")
	case sf.Tag.Get("json") == "-":
		return false, refuse(sf.Type, "tagged `json:\"-\"` but not `idem:\"-\"`")
	case strings.ContainsFunc(jsonName(sf), notInName):
		return false, refuse(sf.Type, "its json tag has a name that encoding/json does not take")
	}
	return false, nil
}

// jsonName returns the name in the json tag; none if the Go name counts.
func jsonName(sf reflect.StructField) string {
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	return name
}

func notInName(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r)
}

// inlined reports whether m's fields stand in the object that m stands in.
func (m candidate) inlined() bool {
	return m.sf.Anonymous && jsonName(m.sf) == "" && pointedAt(m.sf.Type).Kind() == reflect.Struct
}

// dominant returns those of the fields of one level that are seen. As in Go, a name hides the same name further down.
// Where encoding/json goes further and drops a field that Go itself still tells apart, that is an error: beside another
// field of that name on its own level, or below one that has only the JSON name in common with it.
func dominant(level []candidate, taken map[string]candidate) ([]candidate, *Error) {
	var seen []candidate
	for _, m := range level {
		by, hidden := taken[m.name]
		switch {
		case !hidden:
			taken[m.name] = m
			seen = append(seen, m)
		case len(by.index) == len(m.index) || by.sf.Name != m.sf.Name:
			return nil, refuse(m.sf.Type, "has the JSON name of "+by.path[1:]+", and encoding/json does not write both").
				under(m.path)
		}
	}
	return seen, nil
}

func (m candidate) field() field {
	label, _ := json.Marshal(m.name) // a string always marshals
	f := field{label: string(label) + ":", path: m.path, index: m.index}
	options := strings.Split(m.sf.Tag.Get("json"), ",")[1:] // Split returns at least one
	f.omitEmpty = slices.Contains(options, "omitempty")
	f.quoted = slices.Contains(options, "string") && quotable(m.sf.Type)
	if slices.Contains(options, "omitzero") {
		f.omitZero = zeroFunc(m.sf.Type)
	}
	return f
}

func pointedAt(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		return t.Elem()
	}
	return t
}
