package httpcost

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/idem-go/idem/internal/canon"
)

// order is a JSON text of about 1 KiB.
var order = func() []byte {
	type item struct {
		SKU   string   `json:"sku"`
		Qty   int      `json:"qty"`
		Price string   `json:"price"`
		Tags  []string `json:"tags"`
	}
	var items []item
	for i := range 10 {
		items = append(items, item{fmt.Sprint("sku-", i), i, "19.99", []string{"new", "blue", "größe"}})
	}
	text, err := json.Marshal(map[string]any{"total": 1234.5, "customer": map[string]any{"id": "c-123", "country": "NL"}, "items": items})
	if err != nil {
		panic(err)
	}
	return text
}()

var canonical = []subject{
	{"idem", func() func(int) func() {
		return func(int) func() {
			dst := make([]byte, 0, len(order))
			return func() {
				if _, ok := canon.JSON(dst, order); !ok {
					panic("refused")
				}
			}
		}
	}},
	{"gowebpki/jcs", func() func(int) func() {
		return func(int) func() {
			return func() {
				if _, err := jcs.Transform(order); err != nil {
					panic(err)
				}
			}
		}
	}},
}

func reportJSON(out io.Writer, windows int, length time.Duration) {
	results := measure(canonical, 1, windows, length)
	ours, theirs := results["idem"], results["gowebpki/jcs"]
	fmt.Fprintf(out, "\ncanonical form of %d bytes of JSON: %.0f ns, %.1f allocations; gowebpki/jcs %.0f ns, %.1f: ratio %.2f\n", len(order),
		ours.nanoseconds, ours.allocations, theirs.nanoseconds, theirs.allocations, ours.nanoseconds/theirs.nanoseconds)
}
