package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

// echo answers all that comes when no more comes.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				all, _ := io.ReadAll(c)
				_, _ = c.Write(all)
			}()
		}
	}()
	return l.Addr().String()
}

// What comes through is what was sent, no sooner than a connection's handshake
// and a request take at that distance.
func TestProxyDelaysAndChangesNothing(t *testing.T) {
	const rtt = 30 * time.Millisecond
	p, err := startProxy(echo(t), rtt)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	sent := make([]byte, 3<<20)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(sent)
	began := time.Now()
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		_, _ = c.Write(sent)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d octets came back of %d, %v", len(got), len(sent), err)
	}
	if took := time.Since(began); took < 2*rtt {
		t.Errorf("the answer came after %v, a handshake and a round trip take %v", took, 2*rtt)
	}
}
