package httpadapter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/httpadapter"
)

// account is what the service's own authentication knows of the caller.
func account(r *http.Request) (idem.User, error) {
	tenant, user, ok := r.BasicAuth() // a real service looks the caller up
	if !ok {
		return "", idem.ErrMissingUser
	}
	return idem.Scope(tenant, user), nil
}

// send is a client: it sends a request and prints what came back.
func send(h http.Handler, method, path, key, body string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.SetBasicAuth("acme", "u-17")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	how := "first"
	if w.Header().Get("Idempotent-Replayed") == "true" {
		how = "replay"
	}
	if w.Header().Get("Content-Type") == "application/problem+json" {
		how = "refused"
	}
	fmt.Println(w.Code, how, strings.TrimSpace(w.Body.String()))
}

func Example() {
	guard, err := idem.New("orders", new(memtest.Store))
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := httpadapter.New(guard, account)
	if err != nil {
		fmt.Println(err)
		return
	}
	orders := 0
	mux := http.NewServeMux()
	mux.Handle("POST /orders", m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		orders++
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"order":%d}`, orders)
	})))

	send(mux, "POST", "/orders", `"k-1"`, `{"item":"book","amount":1}`)
	send(mux, "POST", "/orders", `"k-1"`, `{"amount":1, "item":"book"}`)
	send(mux, "POST", "/orders", `"k-2"`, `{"item":"book","amount":1}`)
	// Output:
	// 201 first {"order":1}
	// 201 replay {"order":1}
	// 201 first {"order":2}
}

func ExampleMiddleware_Route() {
	guard := idem.Must(idem.New("orders", new(memtest.Store)))
	m := idem.Must(httpadapter.New(guard, account))

	// Drafts may come without a key, and a draft that is gone is not worth remembering.
	drafts := idem.Must(m.Route(
		httpadapter.Optional(),
		httpadapter.Disposition(func(_ *http.Request, status int) idem.Disposition {
			if status == http.StatusGone {
				return idem.Release
			}
			return 0 // as by default
		}),
	))
	runs := 0
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		runs++
		fmt.Fprint(w, "run ", runs)
	})
	mux := http.NewServeMux()
	mux.Handle("/orders", m.Wrap(handler))
	mux.Handle("/drafts", drafts.Wrap(handler))

	send(mux, "POST", "/drafts", "", `{}`)
	send(mux, "POST", "/drafts", "", `{}`)
	send(mux, "POST", "/drafts", "k-1", `{}`)
	send(mux, "POST", "/drafts", "k-1", `{}`)
	send(mux, "POST", "/orders", "", `{}`)
	// Output:
	// 200 first run 1
	// 200 first run 2
	// 200 first run 3
	// 200 replay run 3
	// 400 refused {"title":"Idempotency-Key is missing","status":400,"detail":"This operation needs the header Idempotency-Key: send the request again with a new key, and with that key at every retry.","code":"missing_key"}
}

func ExampleHandle() {
	type Transfer struct {
		Cents int `json:"cents"`
	}
	type Receipt struct {
		Balance int `json:"balance"`
	}
	guard := idem.Must(idem.New("transfers", new(memtest.Store)))
	m := idem.Must(httpadapter.New(guard, account))
	balance := 100
	transfers := httpadapter.Handle(m, func(_ context.Context, _ idem.User, t Transfer) (Receipt, error) {
		if t.Cents > balance {
			return Receipt{}, &httpadapter.Problem{Status: 422, Code: "insufficient_funds", Title: "Too little money"}
		}
		balance -= t.Cents
		return Receipt{Balance: balance}, nil
	})

	send(transfers, "POST", "/transfers", "k-1", `{"cents":70}`)
	send(transfers, "POST", "/transfers", "k-1", `{"cents":70}`)
	send(transfers, "POST", "/transfers", "k-2", `{"cents":70}`)
	// Output:
	// 200 first {"balance":30}
	// 200 replay {"balance":30}
	// 422 refused {"title":"Too little money","status":422,"code":"insufficient_funds"}
}

// A guard with the guarantee Tx has no middleware: its handlers call DoTx themselves, so that effect and answer commit
// together.
func ExampleKeyOf() {
	type Payout struct {
		Cents int `json:"cents"`
	}
	payouts := idem.Must(idem.New("payouts", new(memtest.Store), idem.Tx))
	handler := func(w http.ResponseWriter, r *http.Request) {
		key, err := httpadapter.KeyOf(r)
		if err != nil {
			httpadapter.WriteError(w, r, err)
			return
		}
		user, err := account(r)
		if err != nil {
			httpadapter.WriteError(w, r, err)
			return
		}
		number, err := idem.DoTx(r.Context(), payouts, key, user, Payout{Cents: 70},
			func(_ context.Context, tx *memtest.Tx, _ Payout) (int, error) {
				tx.OnCommit(func() { fmt.Println("paid") }) // with a database: write through tx
				return 17, nil
			})
		if err != nil {
			httpadapter.WriteError(w, r, err)
			return
		}
		fmt.Fprint(w, "payout ", number)
	}

	send(http.HandlerFunc(handler), "POST", "/payouts", `"k-1"`, ``)
	send(http.HandlerFunc(handler), "POST", "/payouts", `"k-1"`, ``)
	send(http.HandlerFunc(handler), "POST", "/payouts", `"k-1`, ``)
	// Output:
	// paid
	// 200 first payout 17
	// 200 first payout 17
	// 400 refused {"title":"Idempotency-Key is invalid","status":400,"detail":"The header Idempotency-Key does not hold a key: its closing quote is missing. A key is 1 to 255 printable ASCII characters in double quotes. Send the request again with one.","code":"invalid_key"}
}

// What a route promises can be published: write the document to a file beside the API's own and refer to its components.
func ExampleMiddleware_OpenAPI() {
	guard := idem.Must(idem.New("orders", new(memtest.Store)))
	m := idem.Must(httpadapter.New(guard, account, httpadapter.Call(idem.Retention(48*time.Hour))))
	fragment, err := m.OpenAPI()
	if err != nil {
		fmt.Println(err)
		return
	}
	var doc struct {
		Components struct {
			Parameters map[string]struct{ Description string }
			Responses  map[string]any
		}
	}
	_ = json.Unmarshal(fragment, &doc)
	rules := strings.Split(doc.Components.Parameters["IdempotencyKey"].Description, "\n\n")
	expiry, _, _ := strings.Cut(rules[3], ".")
	fmt.Println(expiry)
	fmt.Println(len(doc.Components.Responses), "kinds of refusals")
	// Output:
	// A key expires 48 hours after its request was processed
	// 7 kinds of refusals
}

// A handler that found nothing to do may let the key go, so that the same request can be sent again.
func ExampleDecide() {
	m := idem.Must(httpadapter.New(idem.Must(idem.New("orders", new(memtest.Store))), account))
	open := false
	shop := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open {
			httpadapter.Decide(r.Context(), idem.Release)
			fmt.Fprint(w, "come back tomorrow")
			return
		}
		fmt.Fprint(w, "sold")
	}))
	send(shop, "POST", "/orders", "k-1", `{}`)
	open = true
	send(shop, "POST", "/orders", "k-1", `{}`)
	send(shop, "POST", "/orders", "k-1", `{}`)
	// Output:
	// 200 first come back tomorrow
	// 200 first sold
	// 200 replay sold
}
