package httpadapter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/idem-go/idem"
)

// OpenAPI returns an OpenAPI 3.1 document, as JSON, whose components say what the operations under m promise: the
// parameter IdempotencyKey, the header IdempotentReplayed, a response for each status with which m refuses, and the schema
// of their problems. It is made of the options of m, so a route with options of its own has a document of its own. Write it
// to a file beside the API's own document and refer to it:
//
//	"$ref": "idempotency.json#/components/parameters/IdempotencyKey"
//
// draft-ietf-httpapi-idempotency-key-header-07 asks a server to publish three things, and the parameter's description
// says all of them: that the key is needed, what must be unique about it, and when it expires. The extension x-idempotency
// tells programs the same. An error is one of encoding, and never expected.
func (m *Middleware) OpenAPI() ([]byte, error) {
	doc := object{
		"openapi": "3.1.0",
		"info":    object{"title": "Idempotent requests", "version": "1"},
		"components": object{
			"parameters": object{"IdempotencyKey": m.keyParameter()},
			"headers": object{
				"IdempotentReplayed": object{
					"description": "Set to true where the response is that of an earlier request with the same key.",
					"schema":      object{"type": "string", "const": "true"},
				},
			},
			"responses": m.refusalResponses(),
			"schemas":   object{"IdempotencyProblem": problemSchema},
		},
		"x-idempotency": m.contract(),
	}
	if m.documentation != "" {
		doc["externalDocs"] = object{"url": m.documentation}
	}
	return json.MarshalIndent(doc, "", "  ")
}

// object is an object of JSON, whose members encoding/json sorts.
type object = map[string]any

// contract is the policy of m for programs. Durations are in whole seconds, rounded up.
func (m *Middleware) contract() object {
	policy := m.exec.Policy()
	return object{
		"specification":           "draft-ietf-httpapi-idempotency-key-header-07",
		"methods":                 m.methods,
		"header":                  m.header,
		"required":                !m.optional,
		"quotesRequired":          m.strict,
		"scope":                   m.scope(),
		"retentionSeconds":        wholeSeconds(policy.Retention),
		"maxWaitSeconds":          wholeSeconds(policy.Wait),
		"maxBodyBytes":            m.maxBody,
		"maxReplayedBytes":        policy.MaxResult,
		"replayedResponseHeaders": m.replayed.names(),
	}
}

func (m *Middleware) scope() []string {
	if m.perRoute {
		return []string{"user", "method", "path"}
	}
	return []string{"user"}
}

func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func (m *Middleware) keyParameter() object {
	schema := object{"type": "string", "minLength": 1}
	if m.strict {
		schema["pattern"] = `^"([ !#-\[\]-~]|\\["\\]){1,255}"`
	}
	return object{
		"name": m.header, "in": "header", "required": !m.optional, "schema": schema,
		"description": strings.Join(m.keyRules(), "\n\n"),
		"example":     `"8e03978e-40d5-43e8-bc93-6894a57f9324"`,
	}
}

// keyRules are the paragraphs that tell a client what it must know.
func (m *Middleware) keyRules() []string {
	policy := m.exec.Policy()
	need := "This operation needs a key"
	if m.optional {
		need = "With a key this operation can be repeated safely; without one every request is processed"
	}
	form := "1 to 255 printable ASCII characters in double quotes (a string of RFC 9651)"
	if !m.strict {
		form += "; the same characters without the quotes name the same key"
	}
	unique := "Keys belong to the user who sends them, and one key stands for one request on all operations"
	if m.perRoute {
		unique = "Keys belong to the user who sends them, and one key stands for one request on each method and path"
	}
	return []string{
		fmt.Sprintf("%s (methods %s): %s.", need, strings.Join(m.methods, ", "), form),
		unique + ". A new request must have a new key, such as a random UUID; a retry must have the key of the first request.",
		"A retry must equal the first request in method, path, query, media type, content coding and body. JSON bodies compare " +
			"by meaning, with numbers as they are written; other bodies compare byte for byte. Another request is refused with 422.",
		fmt.Sprintf("A key expires %s after its request was processed. Until then its response is repeated, with the header %s; "+
			"afterwards the same key is a new request. Responses of more than %d bytes are not repeated: a retry is then told, "+
			"with 409, that the request was processed.", period(policy.Retention), replayedHeader, policy.MaxResult),
		inFlightRule(policy.Wait),
	}
}

func inFlightRule(wait time.Duration) string {
	if wait == 0 {
		return "While the first request is still being processed, a retry is refused with 409."
	}
	return fmt.Sprintf("While the first request is still being processed, a retry waits up to %s for it and is then refused with 409.", period(wait))
}

// period is a duration in words.
func period(d time.Duration) string {
	for _, unit := range []struct {
		name string
		long time.Duration
	}{{"hour", time.Hour}, {"minute", time.Minute}} {
		if d >= unit.long && d%unit.long == 0 {
			return counted(int64(d/unit.long), unit.name)
		}
	}
	return counted(wholeSeconds(d), "second")
}

func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// names returns the headers in s, sorted.
func (s headerSet) names() []string {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// published are the codes with which a middleware refuses, in the order in which it looks for them.
var published = []idem.Code{
	idem.CodeMissingKey, idem.CodeInvalidKey, idem.CodeMissingUser, idem.CodeInvalidUser, CodeUserUnknown, CodeBodyTooLarge,
	CodeBodyUnreadable, CodeBodyMalformed, CodeBodyRead, idem.CodeUnavailable, idem.CodeContextCanceled, idem.CodeMismatch,
	idem.CodeInFlight, idem.CodeUnknownOutcome, idem.CodeAnswerNotKept, idem.CodeCorrupt, idem.CodeVersion, idem.CodeLeaseLost,
	idem.CodeNotStored, idem.CodeOther,
}

// sends reports whether m can refuse with a code.
func (m *Middleware) sends(code idem.Code) bool { return code != idem.CodeMissingKey || !m.optional }

func (m *Middleware) refusalResponses() object {
	codes := map[int][]idem.Code{}
	for _, code := range published {
		if m.sends(code) {
			status := StatusOf(code)
			codes[status] = append(codes[status], code)
		}
	}
	responses := object{}
	for status, of := range codes {
		responses[fmt.Sprintf("Idempotency%d", status)] = m.refusalResponse(status, of)
	}
	return responses
}

func (m *Middleware) refusalResponse(status int, codes []idem.Code) object {
	headers := object{}
	switch status {
	case http.StatusConflict, http.StatusServiceUnavailable:
		headers["Retry-After"] = headerOf("After how many seconds to retry with the same key, where a retry helps.", "integer")
	case http.StatusUnauthorized:
		headers["WWW-Authenticate"] = headerOf("The challenge.", "string")
	}
	if m.documentation != "" {
		headers["Link"] = headerOf("The documentation of keys, with rel=\"describedby\".", "string")
	}
	titles := make([]string, 0, len(codes))
	for _, code := range codes {
		titles = append(titles, fmt.Sprintf("- `%s`: %s.", code, refusalOf(code).title))
	}
	response := object{
		"description": strings.Join(titles, "\n"),
		"content": object{"application/problem+json": object{"schema": object{"allOf": []object{
			{"$ref": "#/components/schemas/IdempotencyProblem"},
			{"properties": object{"status": object{"const": status}, "code": object{"enum": codes}}},
		}}}},
	}
	if len(headers) > 0 {
		response["headers"] = headers
	}
	return response
}

func headerOf(description, kind string) object {
	return object{"description": description, "schema": object{"type": kind}}
}

var problemSchema = object{
	"description": "A problem (RFC 9457). What to do next stands in its detail.",
	"type":        "object",
	"required":    []string{"title", "status", "detail", "code"},
	"properties": object{
		"type":            object{"type": "string", "format": "uri-reference"},
		"title":           object{"type": "string"},
		"status":          object{"type": "integer", "minimum": 400, "maximum": 599},
		"detail":          object{"type": "string"},
		"code":            object{"type": "string", "description": "The kind of problem in one stable word."},
		"original_status": object{"type": "integer", "minimum": 200, "maximum": 999, "description": "The status of a response that was sent but not kept."},
	},
}
