package main

import (
	"net"
	"sync"
	"time"
)

// proxy is a TCP proxy that makes a server seem far away: what goes in at one
// side comes out at the other half a round trip later. It does not throttle.
type proxy struct {
	Addr   string
	to     string
	rtt    time.Duration
	listen net.Listener

	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func startProxy(to string, rtt time.Duration) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{Addr: l.Addr().String(), to: to, rtt: rtt, listen: l}
	go p.serve()
	return p, nil
}

func (p *proxy) serve() {
	for {
		near, err := p.listen.Accept()
		if err != nil {
			return // closed
		}
		far, err := net.Dial("tcp", p.to)
		if err != nil {
			near.Close()
			continue
		}
		if !p.keep(near, far) {
			return
		}
		// The handshake of a connection takes a round trip before its first
		// octets can leave; here it took none.
		go delay(far, near, p.rtt/2, p.rtt)
		go delay(near, far, p.rtt/2, 0)
	}
}

// keep remembers connections to close; false when it is too late for them.
func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conns...)
	if p.closed {
		p.cut()
	}
	return !p.closed
}

func (p *proxy) cut() {
	for _, c := range p.conns {
		c.Close()
	}
}

func (p *proxy) Close() {
	p.listen.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.cut()
}

// onItsWay bounds what is under way in one direction of a connection, so that
// the proxy's memory is not the server's.
const onItsWay = 1024

// late is what is to come out at a time.
type late struct {
	data []byte
	at   time.Time
}

// delay copies from one connection to the other; first is what the first
// octets take longer.
func delay(to, from net.Conn, by, first time.Duration) {
	line := make(chan late, onItsWay)
	go func() {
		defer close(line)
		for extra := first; ; extra = 0 {
			buf := make([]byte, 64<<10)
			n, err := from.Read(buf)
			if n > 0 {
				line <- late{buf[:n], time.Now().Add(by + extra)}
			}
			if err != nil {
				return
			}
		}
	}()
	for l := range line {
		if wait := time.Until(l.at); wait > 0 {
			time.Sleep(wait)
		}
		if _, err := to.Write(l.data); err != nil {
			from.Close() // ends the reading
			for range line {
			}
			return
		}
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the other direction may go on
	}
}
