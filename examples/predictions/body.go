package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/idem-go/idem/httpadapter"
)

const (
	maxBody   = 1 << 20
	maxMarket = 64 // characters
)

// rules is what a client is told about a member that is missing, of a wrong type or out of range.
var rules = map[string]string{
	"market_id": "market_id must be a string of 1 to 64 characters.",
	"outcome":   `outcome must be "yes" or "no".`,
	"stake":     "stake must be a whole number from 1 to 9223372036854775807, without fraction or exponent.",
	"amount":    "amount must be a whole number from 1 to 9223372036854775807, without fraction or exponent.",
}

// readJSON reads the request's body into v. The error is for httpadapter.WriteError.
//
// The body has to be JSON whatever its Content-Type says, so that plain `curl -d` works. (idem compares a body by its
// meaning only if it is declared as JSON, else byte for byte.) Members that v does not have are ignored.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	tooLarge := (*http.MaxBytesError)(nil)
	switch {
	case errors.As(err, &tooLarge):
		return err
	case err != nil:
		return invalid("The body could not be read.")
	case !utf8.Valid(body): // the decoder would put the same character in place of different bytes
		return invalid("The body is not valid UTF-8.")
	}
	wrongType := (*json.UnmarshalTypeError)(nil)
	switch err := json.Unmarshal(body, v); {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return invalidMember(wrongType.Field)
	case errors.As(err, &wrongType):
		return invalid("The body must be a JSON object.")
	case err != nil:
		return invalid("The body is not JSON.")
	}
	return nil
}

func invalid(detail string) error {
	return &httpadapter.Problem{Status: http.StatusBadRequest, Title: "The request is invalid", Code: "invalid", Detail: detail}
}

func invalidMember(name string) error { return invalid(rules[name]) }

func checkMarket(id string) error {
	if n := utf8.RuneCountInString(id); n < 1 || n > maxMarket {
		return invalidMember("market_id")
	}
	return nil
}
