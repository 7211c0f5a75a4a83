package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const canApart = true

// apart makes this process, and all that it starts from now on, the client's
// half of the machine, by starting it again on that: a Go program counts its
// processors when it begins.
func apart() error {
	if os.Getenv(apartEnv) != "" {
		return nil // it was started again
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return fmt.Errorf("which processors there are: %w", err)
	}
	var all []int
	for n := 0; len(all) < set.Count(); n++ {
		if set.IsSet(n) {
			all = append(all, n)
		}
	}
	p, err := halves(all)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // exec keeps what this thread may run on
	if err := pin(p.client); err != nil {
		return err
	}
	return syscall.Exec(self, os.Args, append(os.Environ(), apartEnv+"="+p.String()))
}

// onServers runs f so that the processes it starts are the server's half. Its
// goroutine must start them itself.
func onServers(f func() error) error {
	p, err := parseProcessors(os.Getenv(apartEnv))
	if err != nil {
		return f() // not apart
	}
	runtime.LockOSThread() // a process begins on what the thread may run on that starts it
	defer runtime.UnlockOSThread()
	if err := pin(p.server); err != nil {
		return err
	}
	return errors.Join(f(), pin(p.client))
}

// pin keeps this thread to processors.
func pin(list []int) error {
	var set unix.CPUSet
	for _, n := range list {
		set.Set(n)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("keeping to the processors %s: %w", join(list), err)
	}
	return nil
}
