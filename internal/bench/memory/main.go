// Memory measures what a large account costs: it moves 20 000 messages (about
// 500 MB) with the real mailhaul program from one account of an in-memory server
// into another, and prints how much memory the operating system says each half
// held at most, and how fast it was beside a bare loop of downloads.
//
// It ends with 1 when a half held more than 200 MB or a message is missing.
//
// With -accounts it moves many small accounts with `mailhaul migrate`, and ends
// with 1 when that held more than 300 MB or took more than 10 % longer than its
// steps do.
//
//	go run ./internal/bench/memory
//	go run ./internal/bench/memory -accounts 1000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// limit is the most resident memory that mailhaul may hold, in octets.
const limit = 200 << 20

const (
	source   = "source@example.org"
	target   = "target@example.org"
	password = "bench"
)

func main() {
	messages := flag.Int("messages", 20_000, "how many messages to move")
	accounts := flag.Int("accounts", 0, "move so many accounts of 20 messages with mailhaul migrate in place of one large one")
	serving := flag.Bool("serve", false, "be the server (the benchmark starts itself this way)")
	flag.Parse()
	work := measure
	if *serving {
		work = serve
	}
	if *accounts > 0 {
		work, *messages = measureAccounts, *accounts
		if *serving {
			work = serveAccounts
		}
	}
	if err := work(*messages); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

// build makes the program that is measured.
func build(dir string) (binary string, err error) {
	binary = filepath.Join(dir, "mailhaul.exe")
	if out, err := exec.Command("go", "build", "-o", binary, "mailhaul/cmd/mailhaul").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building mailhaul: %w\n%s", err, out)
	}
	return binary, nil
}

// measure runs the benchmark. The server is a process of its own: a process
// counts as its own peak what its parent held when it was started (Linux
// carries the old image's peak over exec), so the parent has to be small.
func measure(messages int) error {
	dir, err := os.MkdirTemp("", "mailhaul-memory")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := build(dir)
	if err != nil {
		return err
	}
	s, err := startServer(messages)
	if err != nil {
		return err
	}
	defer s.stop()

	ctx := context.Background()
	began := time.Now()
	octets, err := s.downloadAll(ctx, source, messages)
	if err != nil {
		return err
	}
	bare := time.Since(began)
	fmt.Printf("%d messages, %.0f MB\n", messages, float64(octets)/1e6)
	row := func(name string, took time.Duration, peak string) {
		fmt.Printf("%-16s %7.1f s %8.0f messages/s %7.1f MB/s %6.2f × bare   %s\n", name, took.Seconds(),
			float64(messages)/took.Seconds(), float64(octets)/1e6/took.Seconds(), bare.Seconds()/took.Seconds(), peak)
	}
	row("bare downloads", bare, "")

	var worst int64
	for _, half := range []struct {
		name string
		args []string
	}{
		{"export", []string{"-u", s.url, "-c", source + ":" + password, "export", "account", source, dir}},
		{"import", []string{"-u", s.url, "-c", target + ":" + password, "import", "account", target, filepath.Join(dir, source)}},
	} {
		took, process, err := run(binary, half.args)
		if err != nil {
			return fmt.Errorf("%s: %w", half.name, err)
		}
		peak, err := peakResident(process)
		if err != nil {
			return err
		}
		row(half.name, took, fmt.Sprintf("%.1f s of processor, peak resident %.0f MB",
			(process.UserTime()+process.SystemTime()).Seconds(), float64(peak)/(1<<20)))
		worst = max(worst, peak)
	}
	if arrived, err := s.downloadAll(ctx, target, messages); err != nil {
		return err
	} else if arrived != octets {
		return fmt.Errorf("%d octets arrived, %d were sent", arrived, octets)
	}
	if worst > limit {
		return fmt.Errorf("%d MB of resident memory, at most %d are allowed", worst>>20, limit>>20)
	}
	return nil
}

// run runs mailhaul to its end and answers how long it took.
func run(binary string, args []string) (time.Duration, *os.ProcessState, error) {
	cmd := exec.Command(binary, args...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, nil, fmt.Errorf("%w\n%s", err, out)
	}
	return time.Since(began), cmd.ProcessState, nil
}
