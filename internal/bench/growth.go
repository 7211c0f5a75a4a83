package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
)

// growth measures whether what a message costs stays the same in larger
// accounts, and memory bounded: export, an export of nothing new, import, and
// an import of nothing new, on jmaptest or one of its profiles. With only, no
// more than the first two.
func growth(ctx context.Context, server string, c class, counts []int, only string) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "messages\t\ts\tmessages/s\trequests\tMB resident at most\t\n")
	for _, n := range counts {
		if err := grown(ctx, t, server, c, n, only); err != nil {
			return fmt.Errorf("%d messages: %w", n, err)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func grown(ctx context.Context, t *tabwriter.Writer, server string, c class, n int, only string) error {
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
	target := "target" + domain
	if err := m.AddUser(target); err != nil {
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
		{"export, nothing new", haul{Do: "export", URL: url, Login: source, Dir: ar}, n},
		{"import", haul{Do: "import", URL: url, Login: target, Dir: ar}, n},
		{"import, nothing new", haul{Do: "import", URL: url, Login: target, Dir: ar}, 0},
	}
	if only == "export" {
		steps = steps[:2]
	}
	for _, step := range steps {
		f, err := step.haul.run(ctx, step.carry)
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "%d\t%s\t%.1f\t%.0f\t%d\t%d\t\n", n, step.name, f.took.Seconds(), float64(n)/f.took.Seconds(), f.requests, f.peak>>20)
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
