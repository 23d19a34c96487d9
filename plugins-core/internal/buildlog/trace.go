// Package buildlog reads what BuildKit says of a build and prints it as lines: which step runs, what it prints, and how
// it ended.
//
// The engine sends records of the type moby.buildkit.v1.StatusResponse, whose fields are those of BuildKit's public
// protocol file. Few of them are of use here, so they are read field by field, and those that are not known are passed
// over.
package buildlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Status is one record: what is new of some steps.
type Status struct {
	Steps []Vertex
	Logs  []Log
}

// Vertex is a step as it is now.
type Vertex struct {
	Digest, Name       string
	Cached             bool
	Started, Completed time.Time // zero: not yet
	Error              string
}

// Log is something that a step has printed.
type Log struct {
	Vertex string // digest of the step
	Text   []byte
}

// Decode reads a record.
func Decode(data []byte) (Status, error) {
	var s Status
	err := fields(data, func(n int, value []byte, _ uint64) error {
		switch n {
		case 1:
			v, err := decodeVertex(value)
			s.Steps = append(s.Steps, v)
			return err
		case 3:
			l, err := decodeLog(value)
			s.Logs = append(s.Logs, l)
			return err
		}
		return nil
	})
	if err != nil {
		return Status{}, fmt.Errorf("cannot read the engine's record of the build: %w", err)
	}
	return s, nil
}

func decodeVertex(data []byte) (v Vertex, err error) {
	err = fields(data, func(n int, value []byte, number uint64) (err error) {
		switch n {
		case 1:
			v.Digest = string(value)
		case 3:
			v.Name = string(value)
		case 4:
			v.Cached = number != 0
		case 5:
			v.Started, err = decodeTime(value)
		case 6:
			v.Completed, err = decodeTime(value)
		case 7:
			v.Error = string(value)
		}
		return err
	})
	return v, err
}

func decodeLog(data []byte) (l Log, err error) {
	err = fields(data, func(n int, value []byte, _ uint64) error {
		switch n {
		case 1:
			l.Vertex = string(value)
		case 4:
			l.Text = value
		}
		return nil
	})
	return l, err
}

func decodeTime(data []byte) (time.Time, error) {
	var seconds, nanos int64
	err := fields(data, func(n int, _ []byte, number uint64) error {
		switch n {
		case 1:
			seconds = int64(number)
		case 2:
			nanos = int64(number)
		}
		return nil
	})
	return time.Unix(seconds, nanos), err
}

// Kinds of fields.
const (
	varintKind  = 0
	fixed64Kind = 1
	bytesKind   = 2
	fixed32Kind = 5
)

var errCut = errors.New("it is cut short, or no record")

// fields calls f with each field: value is that of one with a length, number that of a varint. Numbers and lengths are
// varints as package binary reads them, so that is all of the protocol that is needed; the library for it reads its
// program's file at every start of one.
func fields(data []byte, f func(n int, value []byte, number uint64) error) error {
	next := func() (uint64, error) {
		number, size := binary.Uvarint(data)
		if size <= 0 {
			return 0, errCut
		}
		data = data[size:]
		return number, nil
	}
	for len(data) > 0 {
		tag, err := next()
		if err != nil {
			return err
		}
		var value []byte
		var number, length uint64
		switch tag & 7 {
		case varintKind:
			number, err = next()
		case bytesKind:
			length, err = next()
		case fixed64Kind:
			length = 8
		case fixed32Kind:
			length = 4
		default:
			err = errCut
		}
		if err != nil || length > uint64(len(data)) {
			return errCut
		}
		if tag>>3 > maxField {
			return errCut
		}
		value, data = data[:length], data[length:]
		if err := f(int(tag>>3), value, number); err != nil {
			return err
		}
	}
	return nil
}

// maxField is the highest number that a field can have.
const maxField = 1<<29 - 1
