package canon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
)

// order returns an indented JSON text of about size bytes, as an order could look.
func order(size int) []byte {
	type item struct {
		SKU   string   `json:"sku"`
		Qty   int      `json:"qty"`
		Price string   `json:"price"`
		Name  string   `json:"name"`
		Tags  []string `json:"tags"`
	}
	var items []item
	for i := 0; ; i++ {
		items = append(items, item{fmt.Sprint("sku-", i), i, "19.99", "Größe \"L\"", []string{"new", "blue"}})
		text, _ := json.MarshalIndent(map[string]any{
			"total": 1234.5, "customer": map[string]any{"id": "c-123", "country": "NL"}, "items": items,
		}, "", "  ")
		if len(text) >= size {
			return text
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	indented := order(1 << 10)
	var compact bytes.Buffer
	if err := json.Compact(&compact, order(3<<9)); err != nil {
		b.Fatal(err)
	}
	for name, src := range map[string][]byte{"indented": indented, "compact": compact.Bytes()} {
		dst := make([]byte, 0, len(src))
		b.Run(fmt.Sprintf("%s/%d", name, len(src)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := JSON(dst, src); !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}

type benchLine struct {
	SKU   string   `json:"sku"`
	Name  string   `json:"name"`
	Qty   int      `json:"qty"`
	Price float64  `json:"price"`
	Tags  []string `json:"tags"`
}

type benchOrder struct {
	ID    string      `json:"id"`
	Lines []benchLine `json:"lines"`
	Note  *string     `json:"note,omitempty"`
}

type benchTagged struct {
	benchOrder
	Trace string `idem:"-"`
}

type benchTaggedLine struct {
	benchLine
	Trace string `idem:"-"`
}

type benchTaggedDeep struct {
	ID    string            `json:"id"`
	Lines []benchTaggedLine `json:"lines"`
	Note  *string           `json:"note,omitempty"`
}

// BenchmarkTyped writes about 1 KiB, beside json.Marshal for the same bytes.
func BenchmarkTyped(b *testing.B) {
	plainOrder := benchOrder{ID: "order-1"}
	deep := benchTaggedDeep{ID: "order-1"}
	for i := range 11 {
		line := benchLine{fmt.Sprint("sku-", i), "Größe \"L\"", i, 19.99, []string{"new", "blue"}}
		plainOrder.Lines = append(plainOrder.Lines, line)
		deep.Lines = append(deep.Lines, benchTaggedLine{benchLine: line})
	}
	text, err := json.Marshal(plainOrder)
	if err != nil {
		b.Fatal(err)
	}
	var untyped any
	if err := json.Unmarshal(text, &untyped); err != nil {
		b.Fatal(err)
	}
	for _, test := range []struct {
		name        string
		value, same any
	}{
		{"nothing left out", plainOrder, plainOrder},
		{"one field left out", benchTagged{benchOrder: plainOrder}, plainOrder},
		{"a field left out of every line", deep, plainOrder},
		{"any", untyped, untyped},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Typed(test.value); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(test.name+"/json.Marshal", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := json.Marshal(test.same); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
