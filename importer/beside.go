package importer

import "context"

// beside is work that goes on beside other work.
type beside struct {
	cancel func()
	ended  chan struct{}
	err    error // once it has ended
}

// goBeside begins it; stop must follow.
func goBeside(ctx context.Context, work func(context.Context) error) *beside {
	ctx, cancel := context.WithCancel(ctx)
	b := &beside{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(b.ended)
		b.err = work(ctx)
	}()
	return b
}

// wait waits until it has ended by itself.
func (b *beside) wait() error {
	<-b.ended
	return b.err
}

// stop ends it.
func (b *beside) stop() {
	b.cancel()
	<-b.ended
}
