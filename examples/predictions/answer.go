package main

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/idem-go/idem"
	"github.com/idem-go/idem/httpadapter"
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // no type of this program does that
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// refuse answers with what err stands for. What only this server is to know of it goes to the log.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if status := demanded(0); errors.As(err, &status) {
		status.write(w, r)
		return
	}
	meant := (*httpadapter.Problem)(nil) // for the client, as it is
	if !errors.As(err, &meant) && httpadapter.StatusOf(idem.CodeOf(err)) >= http.StatusInternalServerError {
		s.log.Printf("%s: %v", r.Pattern, err)
	}
	httpadapter.WriteError(w, r, err)
}
