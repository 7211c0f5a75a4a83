package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const nothingNew = "nothing new"

const growthHead = `| messages | | s | of them processor | µs a message | requests | MB resident at most |
|---|---|---|---|---|---|---|
`

// growth measures whether what a message costs stays the same in larger
// accounts, and memory bounded: export, an export of nothing new, import, an
// import of nothing new, and an import that goes on after one that was killed
// half-way, on jmaptest or one of its profiles. With only, no more than the
// first two.
func growth(ctx context.Context, server string, c class, counts []int, only string) error {
	fmt.Print(growthHead)
	for _, n := range counts {
		if err := grown(ctx, server, c, n, only); err != nil {
			return fmt.Errorf("%d messages: %w", n, err)
		}
	}
	return nil
}

func grown(ctx context.Context, server string, c class, n int, only string) error {
	dir, err := os.MkdirTemp("", "mailhaul-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m, err := startMemory(server)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Fill(c, n); err != nil {
		return err
	}
	s := accounts{server: m}
	target, err := s.fresh()
	if err != nil {
		return err
	}
	other, err := s.fresh()
	if err != nil {
		return err
	}
	url, ar := "http://"+m.Addr(), filepath.Join(dir, "archive")
	type step struct {
		name  string
		haul  haul
		carry int // how many messages it must count
	}
	steps := []step{
		{"export", haul{Do: "export", URL: url, Login: source, Dir: ar}, n},
		{nothingNew, haul{Do: "export", URL: url, Login: source, Dir: ar}, n},
		{"import", haul{Do: "import", URL: url, Login: target, Dir: ar}, n},
		{nothingNew, haul{Do: "import", URL: url, Login: target, Dir: ar}, 0},
		{"", haul{Do: "import", URL: url, Login: other, Dir: ar, Die: int64(n / 2)}, 0},
		{"import of the other half", haul{Do: "import", URL: url, Login: other, Dir: ar, Watch: true}, -1},
	}
	if only == "export" {
		steps = steps[:2]
	}
	for _, step := range steps {
		if step.haul.Die > 0 {
			if err := step.haul.runAndDie(ctx); err != nil {
				return err
			}
			continue
		}
		f, err := step.haul.run(ctx, step.carry)
		if err != nil {
			return err
		}
		name := step.name
		if step.carry < 0 {
			name += fmt.Sprintf(" after a kill: %d, the first sent after %.1f s", f.messages, f.toFirst.Seconds())
		}
		each := ""
		if step.name != nothingNew {
			each = fmt.Sprint((f.took / time.Duration(max(1, f.messages))).Microseconds())
		}
		fmt.Printf("| %d | %s | %.1f | %.1f | %s | %d | %d |\n", n, name, f.took.Seconds(), f.cpu.Seconds(), each, f.requests, f.peak>>20)
	}
	return nil
}

// growingWith is the class of sizes for the same: small, unless one was asked for.
func growingWith(sizes string) (class, error) {
	if sizes == defaultSizes {
		return classes[0], nil
	}
	return classNamed(sizes)
}

// growingOn is the server that an account grows on, of those that were asked for.
func growingOn(servers string) string {
	if servers == defaultServers {
		return "jmaptest"
	}
	return servers
}
