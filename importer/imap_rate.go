package importer

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// gentle is a connection that moves no more octets a second than it may, both
// ways together. What it waits for that counts as nobody's time: a deadline for
// writing is one for each piece.
type gentle struct {
	net.Conn
	limit *rate.Limiter
	each  atomic.Int64 // nanoseconds for a piece, 0: no deadline
}

// newGentle makes one of a connection; of one without a limit it is that itself.
func newGentle(conn net.Conn, perSecond int64) net.Conn {
	if perSecond <= 0 {
		return conn
	}
	return &gentle{Conn: conn, limit: rate.NewLimiter(rate.Limit(perSecond), int(min(max(perSecond/10, 1<<10), 256<<10)))}
}

func (g *gentle) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		g.each.Store(0)
		return g.Conn.SetWriteDeadline(t)
	}
	g.each.Store(int64(max(time.Until(t), 1)))
	return nil
}

func (g *gentle) Write(p []byte) (n int, err error) {
	for n < len(p) {
		piece := p[n:min(len(p), n+g.limit.Burst())]
		if err := g.wait(len(piece)); err != nil {
			return n, err
		}
		if each := g.each.Load(); each > 0 {
			if err := g.Conn.SetWriteDeadline(time.Now().Add(time.Duration(each))); err != nil {
				return n, err
			}
		}
		m, err := g.Conn.Write(piece)
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

func (g *gentle) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p[:min(len(p), g.limit.Burst())])
	if n > 0 {
		if werr := g.wait(n); err == nil {
			err = werr
		}
	}
	return n, err
}

// wait takes a fraction of a second at most.
func (g *gentle) wait(n int) error { return g.limit.WaitN(context.Background(), n) }
