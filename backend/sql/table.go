package sqlbackend

import (
	"fmt"
	"regexp"
	"strings"
)

// table is the name of the table of records, checked, so that it can stand in a statement.
type table struct {
	schema string // "" is the connection's default
	name   string
}

const defaultTable = "idem_records"

// schemaSuffix follows the table's name in the name of the table that says which version the schema has.
const schemaSuffix = "_schema"

// tableName leaves room for the suffix in the 63 bytes that PostgreSQL gives an identifier.
var (
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	tableName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,55}$`)
)

func parseTable(text string) (table, error) {
	schema, name, qualified := strings.Cut(text, ".")
	if !qualified {
		schema, name = "", text
	}
	if !tableName.MatchString(name) || qualified && !identifier.MatchString(schema) {
		return table{}, fmt.Errorf("%q is not NAME or SCHEMA.NAME, each a letter or _ and then letters, digits and _, the name at most 56 in all", text)
	}
	return table{schema: schema, name: name}, nil
}

// quoted returns the name with suffix, as it stands in a statement. The quotes let a reserved word be a name.
func (t table) quoted(quote, suffix string) string {
	name := quote + t.name + suffix + quote
	if t.schema == "" {
		return name
	}
	return quote + t.schema + quote + "." + name
}

// schemaOr returns the schema, or what an unqualified name means.
func (t table) schemaOr(unqualified string) string {
	if t.schema == "" {
		return unqualified
	}
	return t.schema
}

func (t table) String() string {
	if t.schema == "" {
		return t.name
	}
	return t.schema + "." + t.name
}
