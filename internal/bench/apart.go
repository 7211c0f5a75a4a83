package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// processors are those of a machine, by number, cut into two halves.
type processors struct{ client, server []int }

// apartEnv tells a process that it is one half of a machine cut in two, and
// which: "0/1" is the client's on processor 0, the server's on 1.
const apartEnv = "MAILHAUL_BENCH_APART"

// halves cuts a machine in two, as if client and server were two machines: the
// client's half is never larger.
func halves(all []int) (processors, error) {
	if len(all) < 2 {
		return processors{}, fmt.Errorf("this machine has one processor: -apart takes two (-apart=false measures client and server on the same)")
	}
	half := len(all) / 2
	return processors{client: all[:half], server: all[half : 2*half]}, nil
}

func (p processors) String() string { return join(p.client) + "/" + join(p.server) }

func parseProcessors(s string) (p processors, err error) {
	client, server, _ := strings.Cut(s, "/")
	if p.client, err = numbers(client); err == nil {
		p.server, err = numbers(server)
	}
	return p, err
}

func join(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

// machine is how many processors the machine has, this process's half and the other's.
func machine() int {
	if p, err := parseProcessors(os.Getenv(apartEnv)); err == nil {
		return len(p.client) + len(p.server)
	}
	return runtime.NumCPU()
}

// kind names what a figure was measured on.
func kind() string {
	if p, err := parseProcessors(os.Getenv(apartEnv)); err == nil {
		return fmt.Sprintf("apart: client on %d, server and wire on %d of %d processors", len(p.client), len(p.server), machine())
	}
	return fmt.Sprintf("together: client, server and wire on the same %d processors", machine())
}
