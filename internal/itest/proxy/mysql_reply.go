package proxy

import "encoding/binary"

// mysqlReply follows the answer to one command to its end. Each state takes a packet and returns the state after it, nil
// where that was the last.
type mysqlReply struct {
	state    mysqlState
	caps     uint32
	extras   uint32
	prepared uint32 // the number of the statement that was prepared
	left     int    // packets of this part that are still to come
	params   int    // of a statement that is being prepared
	columns  int
}

type mysqlState func(*mysqlReply, []byte) mysqlState

// First bytes of packets.
const (
	mysqlOK    = 0x00
	mysqlEOF   = 0xfe
	mysqlError = 0xff
)

// moreResults in a status says that another result follows.
const moreResults = 1 << 3

func (y *mysqlReply) begin(command byte, caps, extras uint32) {
	*y = mysqlReply{caps: caps, extras: extras, state: (*mysqlReply).single}
	switch command {
	case mysqlQuery, mysqlExecute:
		y.state = (*mysqlReply).result
	case mysqlPrepare:
		y.state = (*mysqlReply).statement
	case mysqlFetch:
		y.state = (*mysqlReply).rows
	}
}

// take reports whether the packet is the last one.
func (y *mysqlReply) take(body []byte) (last bool) {
	y.state = y.state(y, body)
	return y.state == nil
}

func (y *mysqlReply) single([]byte) mysqlState { return nil }

// result is the first packet of a result: OK, an error, or how many columns there are.
func (y *mysqlReply) result(body []byte) mysqlState {
	switch body[0] {
	case mysqlError:
		return nil
	case mysqlOK:
		return y.after(statusOfOK(body))
	}
	columns, n := lengthEncoded(body)
	y.left = int(columns)
	if y.extras&mysqlCacheColumns != 0 && n < len(body) && body[n] == 0 {
		y.left = 0
	}
	return y.skip((*mysqlReply).rows)
}

// skip has the packets that are left pass, and the EOF behind them where there is one, before next.
func (y *mysqlReply) skip(next mysqlState) mysqlState {
	if y.caps&mysqlDeprecateEOF == 0 {
		y.left++
	}
	if y.left == 0 {
		return next
	}
	var more mysqlState
	more = func(y *mysqlReply, _ []byte) mysqlState {
		if y.left--; y.left == 0 {
			return next
		}
		return more
	}
	return more
}

// rows is a row, or the end of them.
func (y *mysqlReply) rows(body []byte) mysqlState {
	switch {
	case body[0] == mysqlError:
		return nil
	case body[0] != mysqlEOF || len(body) >= 1<<24-1:
		return (*mysqlReply).rows
	case y.caps&mysqlDeprecateEOF != 0:
		return y.after(statusOfOK(body))
	case len(body) < 9:
		return y.after(binary.LittleEndian.Uint16(body[3:]))
	}
	return (*mysqlReply).rows
}

func (y *mysqlReply) after(status uint16) mysqlState {
	if status&moreResults != 0 {
		return (*mysqlReply).result
	}
	return nil
}

// statement is the first packet of what was prepared: its number, and how many columns and parameters it has.
func (y *mysqlReply) statement(body []byte) mysqlState {
	if body[0] != mysqlOK || len(body) < 9 {
		return nil
	}
	y.prepared = statementID(body[1:])
	y.columns, y.params = int(binary.LittleEndian.Uint16(body[5:])), int(binary.LittleEndian.Uint16(body[7:]))
	columns := mysqlState(nil)
	if y.columns > 0 {
		columns = func(y *mysqlReply, body []byte) mysqlState {
			y.left = y.columns
			return y.skip(nil)(y, body)
		}
	}
	if y.params == 0 {
		return columns
	}
	y.left = y.params
	return y.skip(columns)
}

// statusOfOK is the status in an OK packet, whichever its first byte is.
func statusOfOK(body []byte) uint16 {
	at := 1
	for range 2 { // how many rows were changed, and the number of the last that was inserted
		_, n := lengthEncoded(body[min(at, len(body)):])
		at += n
	}
	if len(body) < at+2 {
		return 0
	}
	return binary.LittleEndian.Uint16(body[at:])
}

// lengthEncoded reads a number and returns how many bytes it has.
func lengthEncoded(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	switch b[0] {
	case 0xfc:
		n = 2
	case 0xfd:
		n = 3
	case 0xfe:
		n = 8
	default:
		return uint64(b[0]), 1
	}
	for i := min(n, len(b)-1); i > 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v, n + 1
}
