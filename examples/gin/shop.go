package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/ginadapter"
	"github.com/idem-go/idem/httpadapter"
)

// shop is the service.
type shop struct {
	guarded   *ginadapter.Middleware
	orders    atomic.Int64
	transfers atomic.Int64
}

func newShop(guard *idem.Guard) (*shop, error) {
	guarded, err := ginadapter.New(guard, account, httpadapter.Challenge("Bearer"))
	if err != nil {
		return nil, err
	}
	return &shop{guarded: guarded}, nil
}

// routes puts the middleware where it belongs: behind what recovers and authenticates, in front of what binds the body
// and of what turns errors into answers.
func (s *shop) routes() http.Handler {
	r := gin.New()
	r.Use(gin.Recovery(), authenticate)
	v1 := r.Group("/v1")
	v1.POST("/orders", s.guarded.Handler(), renderErrors, s.placeOrder)
	v1.POST("/accounts/:id/transfers", ginadapter.Handle(s.guarded, s.transfer))
	return r
}

// authenticate stands for real authentication: whoever sends "Authorization: Bearer NAME" is NAME.
func authenticate(c *gin.Context) {
	if name, ok := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer "); ok {
		c.Set("account", name)
	}
}

// account says whose request it is: the id of an account, which is never given to somebody else.
func account(c *gin.Context) (idem.User, error) {
	name := c.GetString("account")
	if name == "" {
		return "", idem.ErrMissingUser
	}
	return idem.User(name), nil
}

// errSoldOut is a business answer. It is rendered inside of the middleware, so a retry gets it again.
var errSoldOut = errors.New("sold out")

func renderErrors(c *gin.Context) {
	c.Next()
	switch {
	case len(c.Errors) == 0 || c.Writer.Written():
	case errors.Is(c.Errors.Last(), errSoldOut):
		c.JSON(http.StatusUnprocessableEntity, gin.H{"error": "sold out"})
	default:
		c.JSON(http.StatusInternalServerError, gin.H{"error": "try again with the same key"})
	}
}

type order struct {
	Item   string `json:"item" binding:"required"`
	Amount int    `json:"amount" binding:"gt=0"`
}

// placeOrder is an ordinary handler of gin.
func (s *shop) placeOrder(c *gin.Context) {
	var o order
	if err := c.ShouldBindJSON(&o); err != nil {
		c.JSON(http.StatusBadRequest, gin.H{"error": "an order has an item and an amount"})
		return
	}
	if o.Amount > 100 {
		_ = c.Error(errSoldOut)
		return
	}
	id := strconv.FormatInt(s.orders.Add(1), 10)
	c.Header("Location", "/v1/orders/"+id)
	c.JSON(http.StatusCreated, gin.H{"id": id, "item": o.Item, "amount": o.Amount})
}

type transfer struct {
	Cents int `json:"cents"`
}

type receipt struct {
	ID    int64     `json:"id"`
	From  idem.User `json:"from"`
	To    string    `json:"to"`
	Cents int       `json:"cents"`
}

// transfer is a function: JSON is decoded and encoded around it, and what its errors mean is said by a Problem.
func (s *shop) transfer(ctx context.Context, from idem.User, t transfer) (receipt, error) {
	if t.Cents <= 0 {
		return receipt{}, &httpadapter.Problem{Status: http.StatusUnprocessableEntity, Code: "no_amount", Detail: "cents must be positive."}
	}
	return receipt{s.transfers.Add(1), from, ginadapter.Params(ctx).ByName("id"), t.Cents}, nil
}
