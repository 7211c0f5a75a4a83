package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/importer"
	"mailhaul/jmapclient"
)

// A haul is one half of a move, done by a process of its own as the mailhaul
// program does it.
type haul struct {
	Do          string // export, import or sync
	URL, Login  string
	To, ToLogin string // of a sync
	Dir         string // the archive
	CPUProfile  string
	MemProfile  string
}

// hauled is what the process tells of it.
type hauled struct {
	Requests, Messages, Octets, Peak int64
	CPU                              time.Duration
}

// run starts the process and waits for it. Messages that are missing are an error.
func (h haul) run(ctx context.Context, messages int) (figure, error) {
	self, err := os.Executable()
	if err != nil {
		return figure{}, err
	}
	order, err := json.Marshal(h)
	if err != nil {
		return figure{}, err
	}
	cmd := exec.CommandContext(ctx, self, "-haul", string(order))
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=96MiB") // as cmd/mailhaul sets it
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if os.Getenv("BENCH_TRACE") != "" {
		cmd.Stderr = os.Stderr
	}
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return figure{}, fmt.Errorf("%s: %w: %s", h.Do, err, complaint.String())
	}
	took := time.Since(began)
	var res hauled
	if err := json.Unmarshal(out.Bytes(), &res); err != nil {
		return figure{}, fmt.Errorf("%s: %w", h.Do, err)
	}
	if res.Messages != int64(messages) {
		return figure{}, fmt.Errorf("%s of %d messages carried %d", h.Do, messages, res.Messages)
	}
	return figure{messages: messages, octets: res.Octets, requests: res.Requests, took: took, peak: res.Peak,
		cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// obeyHaul is the process.
func obeyHaul(order string) error {
	var h haul
	if err := json.Unmarshal([]byte(order), &h); err != nil {
		return err
	}
	if h.CPUProfile != "" {
		f, err := os.Create(h.CPUProfile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	res, err := h.carry(context.Background())
	if err != nil {
		return err
	}
	if h.MemProfile != "" {
		f, err := os.Create(h.MemProfile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.Lookup("allocs").WriteTo(f, 0); err != nil {
			return err
		}
	}
	res.Peak = residentPeak()
	return json.NewEncoder(os.Stdout).Encode(res)
}

func (h haul) carry(ctx context.Context) (*hauled, error) {
	c, err := jmapclient.Dial(ctx, jmapclient.Options{URL: h.URL, Auth: jmapclient.Auth{Username: h.Login, Password: password}})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	acc, err := c.Account(ctx, h.Login)
	if err != nil {
		return nil, err
	}
	res := &hauled{}
	switch h.Do {
	case "export":
		err = h.export(ctx, acc, res)
	case "sync":
		err = h.sync(ctx, acc, res)
	default:
		err = h.restore(ctx, acc, res)
	}
	res.Requests += c.Stats().Requests
	return res, err
}

func (h haul) export(ctx context.Context, acc *jmapclient.Account, res *hauled) error {
	src := exporter.JMAP(acc)
	ar, err := archive.Open(h.Dir)
	if os.IsNotExist(err) || ar == nil {
		ar, err = archive.Create(h.Dir, src.Origin())
	}
	if err != nil {
		return err
	}
	done, err := exporter.Export(ctx, src, ar, exporter.Options{})
	if err != nil {
		return err
	}
	rec := done.Snapshot.Types[account.Email.Name]
	res.Messages, res.Octets = rec.Objects-int64(len(rec.Failed)), rec.Bytes
	return ar.Close()
}

func (h haul) restore(ctx context.Context, acc *jmapclient.Account, res *hauled) error {
	ar, err := archive.Open(h.Dir)
	if err != nil {
		return err
	}
	done, err := importer.Import(ctx, ar, acc, importer.Options{})
	if err != nil {
		return err
	}
	counts := done.Types[account.Email.Name]
	res.Messages, res.Octets = counts.Created, counts.Bytes
	return ar.Close()
}

// residentPeak is the most memory that this process held, 0 where the system
// does not tell. (getrusage would count what the parent held before exec.)
func residentPeak() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	return 0
}
