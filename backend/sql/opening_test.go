package sqlbackend

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"
)

// paint is a setting of a driver that the tests make up.
type paint struct{ color string }

func colored(color string) OpenOption {
	return DriverOption("Colored", func(p *paint) error {
		if color == "" {
			return fmt.Errorf("no color")
		}
		p.color = color
		return nil
	})
}

func TestAnOpenKnowsEveryOption(t *testing.T) {
	t.Parallel()
	var p paint
	o, rest, err := Driver{Name: "made-up", Dialect: SQLite(noCode), Conns: 7, Settings: &p}.Prepare("", []OpenOption{
		Table("app.orders"), UsersKey("users", "id"), WithoutReadable(), PruneStep(3), PrunePause(time.Second),
		TxIsolation(sql.LevelSerializable), Conns(20), WithoutMigrate(), colored("red"),
	})
	if err != nil || rest != "" {
		t.Fatalf("Prepare: %q, %v", rest, err)
	}
	orders := table{schema: "app", name: "orders"}
	want := config{table: orders, step: 3, pause: time.Second, isolation: sql.LevelSerializable}
	if o.config != want {
		t.Errorf("the store goes by %+v, want %+v", o.config, want)
	}
	if o.plan.table != orders || o.plan.users == nil || *o.plan.users != (usersKey{"users", "id"}) {
		t.Errorf("Migrate goes by %+v", o.plan)
	}
	if o.conns != 20 || !o.byHand || p.color != "red" {
		t.Errorf("conns %d, by hand %v, color %q", o.conns, o.byHand, p.color)
	}
}

func TestAnOpenWithoutOptionsHasTheDefaults(t *testing.T) {
	t.Parallel()
	o, rest, err := Driver{Name: "made-up", Dialect: SQLite(noCode), Conns: 7}.Prepare("made-up://host/db?mode=rw", nil)
	if err != nil || rest != "made-up://host/db?mode=rw" {
		t.Fatalf("Prepare: %q, %v", rest, err)
	}
	if o.conns != 7 || o.byHand || o.config != newConfig(SQLite(noCode)) || !o.config.readable || o.plan != newPlan() {
		t.Errorf("the defaults are %+v", o)
	}
}

func TestEveryWrongOptionOfOpenIsNamed(t *testing.T) {
	t.Parallel()
	for want, option := range map[string]OpenOption{
		`option Table: "a b"`:         Table("a b"),
		`option UsersKey: "a b"`:      UsersKey("users", "a b"),
		"option PruneStep: 0":         PruneStep(0),
		"option TxIsolation: Linear":  TxIsolation(sql.LevelLinearizable),
		"option Conns: 0":             Conns(0),
		"option Conns: 10001":         Conns(10_001),
		"option 2 of Open is nil":     nil,
		"option Colored: no color":    colored(""),
		"option Size belongs to anot": DriverOption("Size", func(*int) error { return nil }),
	} {
		d := Driver{Name: "made-up", Dialect: SQLite(noCode), Settings: &paint{}}
		_, _, err := d.Prepare("a://h/d?conns=1", []OpenOption{WithoutReadable(), option})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "made-up: ") {
			t.Errorf("Prepare returned %v, want made-up and %q in it", err, want)
		}
	}
	_, _, err := Driver{Name: "plain", Dialect: SQLite(noCode)}.Prepare("", []OpenOption{colored("red")})
	if err == nil || !strings.Contains(err.Error(), "plain: option Colored belongs to another driver") {
		t.Errorf("a driver without settings returned %v", err)
	}
}

func TestAURLsOwnParametersAreTakenOut(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"a://u:p@h/d":     "a://u:p@h/d",
		"a://h/d?":        "a://h/d?",
		"a://h/d?table=x": "a://h/d",
		"a://h/d?one=1&table=x&&two=a%26b&conns=3":  "a://h/d?one=1&two=a%26b",
		"a://h/d?t%61ble=x&readable=true&b=%zz&b=1": "a://h/d?b=%zz&b=1",
		"a:file?migrate=false&%zz=1":                "a:file?%zz=1",
		"host=h password='?table=x' user='a'":       "host=h password='?table=x' user='a'",
		"host=h password=x://?table=x":              "host=h password=x://?table=x",
		"file?table=x":                              "file?table=x",
	} {
		_, rest, err := Driver{Name: "made-up", Dialect: SQLite(noCode)}.Prepare(address, nil)
		if err != nil || rest != want {
			t.Errorf("of %q is left %q, %v; want %q", address, rest, err, want)
		}
	}
}

func TestParametersAreOptionsAndACallsOwnRule(t *testing.T) {
	t.Parallel()
	d := Driver{Name: "made-up", Dialect: SQLite(noCode), Conns: 7}
	address := "a://h/d?table=s.%6Frders&readable=false&migrate=false&conns=3"
	o, _, err := d.Prepare(address, nil)
	orders := table{schema: "s", name: "orders"}
	if err != nil || o.config.table != orders || o.plan.table != orders || o.config.readable || !o.byHand || o.conns != 3 {
		t.Errorf("the parameters gave %+v, %v", o, err)
	}
	o, _, err = d.Prepare(address, []OpenOption{Conns(4), Table("mine")})
	if err != nil || o.conns != 4 || o.config.table.name != "mine" || o.plan.table.name != "mine" {
		t.Errorf("the options gave %+v, %v", o, err)
	}
	o, _, err = d.Prepare("a://h/d?readable=true&migrate=true&group=true", nil)
	if err != nil || !o.config.readable || o.byHand || !o.config.group {
		t.Errorf("true gave %+v, %v", o, err)
	}
}

func TestADriversOwnParametersAreTakenOutToo(t *testing.T) {
	t.Parallel()
	var p paint
	d := Driver{Name: "made-up", Dialect: SQLite(noCode), Settings: &p, Parameters: map[string]Parameter{
		"color": func(value string) (OpenOption, error) { return colored(value), nil },
		"gray":  Unless(colored("bright")),
		"table": func(string) (OpenOption, error) { return nil, fmt.Errorf("is every driver's") },
	}}
	for address, want := range map[string]string{
		"a://h/d?color=r%65d&mode=rw&table=t": "red",
		"a://h/d?mode=rw&gray=false":          "bright",
		"a://h/d?mode=rw&gray=true":           "",
	} {
		p = paint{}
		_, rest, err := d.Prepare(address, nil)
		if err != nil || rest != "a://h/d?mode=rw" || p.color != want {
			t.Errorf("%s: %q is left, color %q, %v", address, rest, p.color, err)
		}
	}
	if _, _, err := d.Prepare("a://h/d?color=red", []OpenOption{colored("blue")}); err != nil || p.color != "blue" {
		t.Errorf("the option gave %q, %v", p.color, err)
	}
	for query, want := range map[string]string{
		"color=a&color=b": "the parameter color is given more than once",
		"gray=secret":     "the parameter gray must be true or false",
		"color=":          "option Colored: no color",
	} {
		_, _, err := d.Prepare("a://h/d?"+query, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q in it", query, err, want)
		}
	}
}

func TestAnOpenListensUnlessTheCallerDoes(t *testing.T) {
	t.Parallel()
	mine, theirs := newLine().Listener, newLine().Listener
	for _, opts := range [][]OpenOption{nil, {WithListener(theirs)}} {
		o, _, err := Driver{Name: "made-up", Dialect: Postgres(PostgresDriver{})}.Prepare("", opts)
		if err != nil {
			t.Fatal(err)
		}
		c := o.Listen(mine, connector{})
		if _, closes := c.(closingConnector); closes != (opts == nil) {
			t.Errorf("with %d options the pool closes its listener: %v", len(opts), closes)
		}
		if want := map[bool]*Listener{true: mine, false: theirs}[opts == nil]; o.config.listener != want {
			t.Errorf("with %d options another listener is used", len(opts))
		}
	}
}

func TestAWrongParameterIsNamedAndNotRepeated(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"table=a&table=b":          "the parameter table is given more than once",
		"conns=secret":             "the parameter conns must be a number",
		"conns=0":                  "option Conns",
		"readable=secret":          "the parameter readable must be true or false",
		"group=secret":             "the parameter group must be true or false",
		"migrate=":                 "the parameter migrate must be true or false",
		"table=secret%zz":          "the parameter table cannot be read",
		"table=a%20b":              "option Table",
		"readable=false&conns=1.5": "the parameter conns must be a number",
	} {
		_, _, err := Driver{Name: "made-up", Dialect: SQLite(noCode)}.Prepare("a://u:secret@h/d?"+query, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q in it", query, err, want)
		}
	}
}
