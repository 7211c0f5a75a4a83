package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible is a context that the first SIGINT or SIGTERM cancels, so that
// the work in flight is finished and committed. The second leaves at once: what
// was committed is whole whenever the process ends. (Windows knows Ctrl-C only.)
func interruptible(parent context.Context, s *screen) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	released := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-released:
			return
		}
		s.say("Finishing what is in flight… Once more to leave at once.")
		cancel()
		select {
		case <-signals:
			os.Exit(exitInterrupted)
		case <-released:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(released)
		cancel()
	}
}
