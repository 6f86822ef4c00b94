package mutation

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// source is a file of Go in which faults are put to sleep.
type source struct {
	text  string
	tree  *ast.File
	set   *token.FileSet
	edits []edit
	twins []string // what is added to the file
}

// edit is a piece of the file that gives way to another.
type edit struct {
	from, to int
	text     string
}

func parse(file string) (*source, error) {
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
	return &source{text: string(text), tree: tree, set: set}, err
}

func (s *source) name() string { return s.tree.Name.Name }

func (s *source) offset(p token.Pos) int { return s.set.Position(p).Offset }

// piece is the text of a node, or of some of its neighbours.
func (s *source) piece(from, to token.Pos) string { return s.text[s.offset(from):s.offset(to)] }

// add puts one fault to sleep: in a twin of its function, or in a second value of its constant.
func (s *source) add(f fault) error {
	at, err := f.split(s.text)
	if err != nil {
		return err
	}
	for _, d := range s.tree.Decls {
		if at < s.offset(d.Pos()) || s.offset(d.End()) < at+len(f.right) {
			continue
		}
		switch d := d.(type) {
		case *ast.FuncDecl:
			return s.addTwin(d, f, at)
		case *ast.GenDecl:
			return s.addValue(d, f, at)
		}
	}
	return errors.New("it is in no declaration")
}

// addTwin gives a function a twin with the fault, and has it ask first which of them is to run.
func (s *source) addTwin(d *ast.FuncDecl, f fault, at int) error {
	if d.Body == nil || at < s.offset(d.Body.Lbrace) {
		return errors.New("it is not in the body of its function")
	}
	twin := fmt.Sprintf("%sMutation%d", d.Name.Name, len(s.twins))
	call, err := s.call(d, twin)
	if err != nil {
		return err
	}
	if d.Type.Results == nil {
		call += "; return"
	} else {
		call = "return " + call
	}
	s.edit(s.offset(d.Body.Lbrace)+1, 0, "if mutation == "+strconv.Quote(f.name)+" { "+call+" };")
	s.twins = append(s.twins, s.piece(d.Pos(), d.Name.Pos())+twin+s.text[s.offset(d.Name.End()):at]+f.wrong+
		s.text[at+len(f.right):s.offset(d.End())])
	return nil
}

// call is how a function calls its twin.
func (s *source) call(d *ast.FuncDecl, twin string) (string, error) {
	call := twin
	if d.Recv != nil {
		recv := names(d.Recv)
		if len(recv) != 1 {
			return "", errors.New("the receiver of its function has no name")
		}
		call = recv[0] + "." + twin
	}
	if types := d.Type.TypeParams; types != nil {
		call += "[" + strings.Join(names(types), ", ") + "]"
	}
	args := names(d.Type.Params)
	if len(args) != d.Type.Params.NumFields() || slices.Contains(args, "_") {
		return "", errors.New("a parameter of its function has no name")
	}
	call += "(" + strings.Join(args, ", ")
	if n := len(d.Type.Params.List); n > 0 {
		if _, variadic := d.Type.Params.List[n-1].Type.(*ast.Ellipsis); variadic {
			call += "..."
		}
	}
	return call + ")", nil
}

func names(list *ast.FieldList) (all []string) {
	for _, field := range list.List {
		for _, name := range field.Names {
			all = append(all, name.Name)
		}
	}
	return all
}

// addValue makes a constant that is a string a variable, which has one value or the other. A constant has one fault at most.
func (s *source) addValue(d *ast.GenDecl, f fault, at int) error {
	for _, spec := range d.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok || at < s.offset(v.Pos()) || s.offset(v.End()) < at+len(f.right) {
			continue
		}
		if len(v.Names) != 1 || len(v.Values) != 1 || v.Type != nil || at < s.offset(v.Values[0].Pos()) {
			return errors.New("it is not in the value of one constant")
		}
		value, end := s.offset(v.Values[0].Pos()), s.offset(v.End())
		if d.Lparen.IsValid() {
			s.edit(s.offset(v.Pos()), end-s.offset(v.Pos()), "")
		} else {
			s.edit(s.offset(d.Pos()), end-s.offset(d.Pos()), "")
		}
		s.twins = append(s.twins, fmt.Sprintf("var %s = func() string {\nif mutation == %q {\nreturn %s\n}\nreturn %s\n}()",
			v.Names[0].Name, f.name, s.text[value:at]+f.wrong+s.text[at+len(f.right):end], s.text[value:end]))
		return nil
	}
	return errors.New("it is in no value")
}

func (s *source) edit(at, size int, text string) {
	s.edits = append(s.edits, edit{at, at + size, text})
}

// faulty is the file with all that was added.
func (s *source) faulty() string {
	slices.SortStableFunc(s.edits, func(a, b edit) int { return a.from - b.from })
	var out strings.Builder
	at := 0
	for _, e := range s.edits {
		out.WriteString(s.text[at:e.from] + e.text)
		at = e.to
	}
	out.WriteString(s.text[at:] + "\n" + strings.Join(s.twins, "\n\n") + "\n")
	return out.String()
}
