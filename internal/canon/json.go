package canon

import (
	"slices"
	"sync"
	"unicode/utf8"
)

// MaxDepth is how many arrays and objects may stand in one another in a text that JSON takes.
const MaxDepth = 512

// JSON appends the canonical form of the JSON text src to dst and returns the extended slice. Two texts have the same
// form if and only if they mean the same: white space, the order of members and the spelling of strings do not matter.
// Number literals are kept as they are written, so 1 and 1.0 differ, and so do integers that a float64 cannot hold.
// The form is itself a JSON text (RFC 8259): no white space, members in the order of their names without regard to
// case, only those characters escaped that must be, lone surrogates as \udXXX.
//
// It returns dst and false if src is not one JSON text, is not UTF-8, is nested deeper than MaxDepth, or has an object
// with two members of one name, or of names that differ in case alone, since readers disagree about what such an object
// means: to encoding/json they are one field, and the last wins. The caller then compares raw.
//
// Time grows with len(src) and the logarithm of the number of members, whatever src is. JSON may be called
// concurrently and keeps neither slice.
func JSON(dst, src []byte) ([]byte, bool) {
	if !utf8.Valid(src) {
		return dst, false
	}
	r := readers.Get().(*reader)
	defer r.release()
	if !r.read(src) {
		return dst, false
	}
	return r.arrange(dst, 0, len(r.out), 0), true
}

// reader reads a text once and writes it down without its white space. It remembers which objects have their members
// in another order than they should, so that everything is moved at most once, however deep it stands.
type reader struct {
	src []byte
	pos int
	out []byte // canonical but for the order of members

	open     []member // members read so far of the objects that are being read
	kept     []member // members of closed objects, in their final order
	unsorted []object // by start, so that an object comes before what it holds
}

// member is a member of an object: its place in out.
type member struct {
	start, colon, end int
	next              int // the first of reader.unsorted that starts later
}

// object is an object of which the members, or something further down, must be moved.
type object struct {
	start, end   int // its place in out
	first, count int // its members in kept; none if they are in order already
	next         int // the first of reader.unsorted that starts after this one's end
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// keepable is the most bytes of a buffer that waits for the next text.
const keepable = 64 << 10

func (r *reader) release() {
	if cap(r.out) > keepable || cap(r.kept)+cap(r.open)+cap(r.unsorted) > keepable/32 {
		return
	}
	r.src = nil
	readers.Put(r)
}

func (r *reader) read(src []byte) bool {
	r.src, r.pos = src, 0
	r.out = slices.Grow(r.out[:0], len(src)) // the canonical form is never longer
	r.open, r.kept, r.unsorted = r.open[:0], r.kept[:0], r.unsorted[:0]
	return r.value(0) && r.peek() == 0 && r.pos == len(src)
}

// peek skips white space and returns the byte that follows; 0, which no text has outside of its end, if none does.
func (r *reader) peek() byte {
	for ; r.pos < len(r.src); r.pos++ {
		switch c := r.src[r.pos]; c {
		case ' ', '\n', '\t', '\r':
		default:
			return c
		}
	}
	return 0
}

// take consumes the byte that peek returned, and writes it.
func (r *reader) take(c byte) {
	r.pos++
	r.out = append(r.out, c)
}

func (r *reader) value(depth int) bool {
	switch c := r.peek(); c {
	case '"':
		return r.text()
	case '{':
		return depth < MaxDepth && r.object(depth+1)
	case '[':
		return depth < MaxDepth && r.array(depth+1)
	case 't':
		return r.word("true")
	case 'f':
		return r.word("false")
	case 'n':
		return r.word("null")
	}
	return r.number()
}

func (r *reader) array(depth int) bool {
	r.take('[')
	if r.peek() == ']' {
		r.take(']')
		return true
	}
	for r.value(depth) {
		switch c := r.peek(); c {
		case ',':
			r.take(c)
		case ']':
			r.take(c)
			return true
		default:
			return false
		}
	}
	return false
}

func (r *reader) object(depth int) bool {
	start, base, id := len(r.out), len(r.open), len(r.unsorted)
	r.take('{')
	if r.peek() == '}' {
		r.take('}')
		return true
	}
	r.unsorted = append(r.unsorted, object{start: start})
	sorted := true
	for {
		ascending, ok := r.member(depth, base)
		if !ok {
			return false
		}
		sorted = sorted && ascending
		switch c := r.peek(); c {
		case ',':
			r.take(c)
		case '}':
			r.take(c)
			return r.close(id, base, sorted)
		default:
			return false
		}
	}
}

// member reads one member and reports whether its name comes after the one before it.
func (r *reader) member(depth, base int) (ascending, ok bool) {
	m := member{start: len(r.out), next: len(r.unsorted)}
	if r.peek() != '"' || !r.text() || r.peek() != ':' {
		return false, false
	}
	m.colon = len(r.out)
	r.take(':')
	if !r.value(depth) {
		return false, false
	}
	m.end = len(r.out)
	last := len(r.open) - 1
	ascending = last < base || r.compare(r.open[last], m) < 0
	r.open = append(r.open, m)
	return ascending, true
}

// compare compares the names of members as compareNames does. A name has one spelling only, so it can be compared as it is
// written, without its quotes.
func (r *reader) compare(a, b member) int {
	return compareNames(r.out[a.start+1:a.colon-1], r.out[b.start+1:b.colon-1])
}

// close ends the object id, whose members are those of r.open from base on.
func (r *reader) close(id, base int, sorted bool) bool {
	members := r.open[base:]
	r.open = r.open[:base]
	if sorted && id == len(r.unsorted)-1 {
		r.unsorted = r.unsorted[:id] // nothing to move here or below
		return true
	}
	o := &r.unsorted[id]
	o.end, o.next = len(r.out), len(r.unsorted)
	if sorted {
		return true
	}
	slices.SortFunc(members, r.compare)
	for i := 1; i < len(members); i++ {
		if r.compare(members[i-1], members[i]) == 0 {
			return false
		}
	}
	o.first, o.count = len(r.kept), len(members)
	r.kept = append(r.kept, members...)
	return true
}

// arrange appends out[from:to] to dst with all members in their order; next is the first unsorted object that can
// stand there.
func (r *reader) arrange(dst []byte, from, to, next int) []byte {
	for next < len(r.unsorted) && r.unsorted[next].start < to {
		o := r.unsorted[next]
		next++
		if o.count == 0 {
			continue
		}
		dst = append(dst, r.out[from:o.start]...)
		before := byte('{')
		for _, m := range r.kept[o.first : o.first+o.count] {
			dst = append(dst, before)
			dst = r.arrange(dst, m.start, m.end, m.next)
			before = ','
		}
		dst = append(dst, '}')
		from, next = o.end, o.next
	}
	return append(dst, r.out[from:to]...)
}
