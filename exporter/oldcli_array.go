package exporter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"mailhaul/account"
)

// mostObject bounds what one object of a foreign file may take, in octets. The
// largest in practice is a signature with pictures in it.
const mostObject = 16 << 20

// arrayReader reads the objects of one JSON array, one after the other, in
// bounded memory.
type arrayReader struct {
	name  string
	in    *meteredReader
	dec   *json.Decoder
	begun bool
	n     int
	err   error // that ended it
}

func newArrayReader(r io.Reader, name string) *arrayReader {
	in := &meteredReader{r: r}
	return &arrayReader{name: name, in: in, dec: json.NewDecoder(in)}
}

// next is the next object, io.EOF behind the last. An entry that is no object
// is an empty object.
func (a *arrayReader) next() (o account.Object, err error) {
	if a.err == nil {
		o, a.err = a.read()
	}
	return o, a.err
}

func (a *arrayReader) read() (account.Object, error) {
	a.in.left = mostObject
	if !a.begun {
		if tok, err := a.dec.Token(); err != nil || tok != json.Delim('[') {
			return nil, a.broken(err, "it is no JSON array")
		}
		a.begun = true
	}
	if !a.dec.More() {
		if _, err := a.dec.Token(); err != nil {
			return nil, a.broken(err, "")
		}
		return nil, io.EOF
	}
	a.n++
	var o account.Object
	err := a.dec.Decode(&o)
	var other *json.UnmarshalTypeError
	if err != nil && !errors.As(err, &other) {
		return nil, a.broken(err, "")
	}
	if o == nil {
		o = account.Object{}
	}
	return o, nil
}

func (a *arrayReader) broken(err error, text string) error {
	switch {
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		text = "it is cut short"
	case err != nil:
		text = err.Error()
	}
	return fmt.Errorf("%s can't be read past entry %d (octet %d): %s", a.name, a.n, a.dec.InputOffset(), text)
}

// meteredReader hands out no more than is left until it is set again.
type meteredReader struct {
	r    io.Reader
	left int
}

func (m *meteredReader) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, fmt.Errorf("an entry has more than %d octets", mostObject)
	}
	n, err := m.r.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err
}
