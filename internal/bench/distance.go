package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// A distance is a proxy in a process of its own. It is reckoned to the wire,
// which has no processor: where client and server are apart it is on the server's,
// for every line alike.
type distance struct {
	Addr string
	cmd  *exec.Cmd
	in   io.WriteCloser
}

// delaying is what the process is told.
type delaying struct {
	To  string
	RTT time.Duration
}

// away makes a server so far away. What is not far needs no proxy.
func away(to string, rtt time.Duration) (*distance, error) {
	if rtt == 0 {
		return &distance{Addr: to}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	order, err := json.Marshal(delaying{to, rtt})
	if err != nil {
		return nil, err
	}
	d := &distance{cmd: exec.Command(self, "-delay", string(order))}
	d.cmd.Stderr = os.Stderr
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := onServers(d.cmd.Start); err != nil {
		return nil, err
	}
	if _, err := fmt.Fscanln(bufio.NewReader(out), &d.Addr); err != nil {
		d.Close()
		return nil, fmt.Errorf("the proxy did not start: %w", err)
	}
	return d, nil
}

func (d *distance) Close() {
	if d.cmd != nil {
		d.in.Close()
		_ = d.cmd.Wait() // it has said what was wrong
	}
}

// obeyDelay is the process: it prints its address and delays until standard
// input ends.
func obeyDelay(order string) error {
	var d delaying
	if err := json.Unmarshal([]byte(order), &d); err != nil {
		return err
	}
	p, err := startProxy(d.To, d.RTT)
	if err != nil {
		return err
	}
	defer p.Close()
	fmt.Println(p.Addr)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
