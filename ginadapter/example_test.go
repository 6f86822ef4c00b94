package ginadapter_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/backend/memtest"
	"github.com/idem-go/idem/ginadapter"
	"github.com/idem-go/idem/httpadapter"
)

// authenticated stands for a service's own authentication, which puts the caller into the context.
func authenticated(c *gin.Context) {
	name, _, ok := c.Request.BasicAuth()
	if !ok {
		c.AbortWithStatus(http.StatusUnauthorized)
		return
	}
	c.Set("account", name)
}

// account says whose request it is.
func account(c *gin.Context) (idem.User, error) { return idem.User(c.GetString("account")), nil }

func placeOrder(c *gin.Context) {
	var order struct {
		Item string `json:"item" binding:"required"`
	}
	if err := c.ShouldBindJSON(&order); err != nil {
		c.JSON(http.StatusBadRequest, gin.H{"error": "an item is missing"})
		return
	}
	fmt.Println("placing an order for a", order.Item)
	c.JSON(http.StatusCreated, gin.H{"order": 1})
}

// send is a client: it sends a request and prints what came back.
func send(h http.Handler, path, key, body string) {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.SetBasicAuth("account-7", "")
	r.Header.Set("Idempotency-Key", key)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	how := "first"
	if w.Header().Get("Idempotent-Replayed") == "true" {
		how = "replay"
	}
	fmt.Println(w.Code, how, strings.TrimSpace(w.Body.String()))
}

func Example() {
	var store backend.Store = new(memtest.Store)
	r := gin.New()
	r.Use(gin.Recovery(), authenticated)

	orders := idem.Must(idem.New("orders", store))
	guarded := idem.Must(ginadapter.New(orders, account))
	r.POST("/orders", guarded.Handler(), placeOrder)

	send(r, "/orders", `"k-1"`, `{"item":"book"}`)
	send(r, "/orders", `"k-1"`, `{"item":"book"}`)
	// Output:
	// placing an order for a book
	// 201 first {"order":1}
	// 201 replay {"order":1}
}

func ExampleMiddleware_Route() {
	guard := idem.Must(idem.New("orders", new(memtest.Store)))
	m := idem.Must(ginadapter.New(guard, account))
	r := gin.New()
	r.Use(authenticated)
	api := r.Group("/v1", m.Handler())
	api.POST("/orders", placeOrder)
	r.POST("/scans", idem.Must(m.Route(httpadapter.MaxBody(10))).Handler(), placeOrder)

	send(r, "/v1/orders", "k-1", `{"item":"book"}`)
	send(r, "/scans", "k-2", `{"item":"book"}`)
	// Output:
	// placing an order for a book
	// 201 first {"order":1}
	// 413 first {"title":"The body is too large","status":413,"detail":"The request was not processed. Its body is larger than this operation takes: send a smaller one.","code":"body_too_large"}
}

func ExampleHandle() {
	type Transfer struct {
		Cents int `json:"cents"`
	}
	type Receipt struct {
		To    string `json:"to"`
		Cents int    `json:"cents"`
	}
	guard := idem.Must(idem.New("transfers", new(memtest.Store)))
	m := idem.Must(ginadapter.New(guard, account))
	r := gin.New()
	r.Use(authenticated)
	r.POST("/accounts/:id/transfers", ginadapter.Handle(m, func(ctx context.Context, _ idem.User, t Transfer) (Receipt, error) {
		if t.Cents > 100 {
			return Receipt{}, &httpadapter.Problem{Status: 422, Code: "insufficient_funds", Title: "Too little money"}
		}
		return Receipt{To: ginadapter.Params(ctx).ByName("id"), Cents: t.Cents}, nil
	}))

	send(r, "/accounts/9/transfers", "k-1", `{"cents":70}`)
	send(r, "/accounts/9/transfers", "k-1", `{"cents":70}`)
	send(r, "/accounts/9/transfers", "k-2", `{"cents":700}`)
	// Output:
	// 200 first {"to":"9","cents":70}
	// 200 replay {"to":"9","cents":70}
	// 422 first {"title":"Too little money","status":422,"code":"insufficient_funds"}
}
