package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/importer"
	"mailhaul/internal/progress"
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
	Watch       bool  // tell when the first message is sent, over a transport that is not mailhaul's own
	Die         int64 // kill itself when so many messages are through
}

// hauled is what the process tells of it.
type hauled struct {
	Requests, Messages, Octets, Peak int64
	// ToFirst is how long after its start the process sent the first message.
	ToFirst time.Duration
}

// command is the process.
func (h haul) command(ctx context.Context) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	order, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-haul", string(order))
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=96MiB") // as cmd/mailhaul sets it
	return cmd, nil
}

// runAndDie starts the process and waits until it has killed itself.
func (h haul) runAndDie(ctx context.Context) error {
	cmd, err := h.command(ctx)
	if err != nil {
		return err
	}
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.Exited() {
		return fmt.Errorf("%s did not live until it was to be killed: %w: %s", h.Do, err, text)
	}
	return nil
}

// run starts the process and waits for it. Messages that are missing are an
// error; with -1, any number will do.
func (h haul) run(ctx context.Context, messages int) (figure, error) {
	cmd, err := h.command(ctx)
	if err != nil {
		return figure{}, err
	}
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return figure{}, fmt.Errorf("%s: %w: %s", h.Do, err, complaint.String())
	}
	took := time.Since(began)
	var res hauled
	if err := json.Unmarshal(out.Bytes(), &res); err != nil {
		return figure{}, fmt.Errorf("%s: %w", h.Do, err)
	}
	if messages < 0 {
		messages = int(res.Messages)
	}
	if res.Messages != int64(messages) {
		return figure{}, fmt.Errorf("%s of %d messages carried %d", h.Do, messages, res.Messages)
	}
	return figure{messages: messages, octets: res.Octets, requests: res.Requests, took: took, toFirst: res.ToFirst, peak: res.Peak,
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
	sent := &firstSent{RoundTripper: http.DefaultTransport.(*http.Transport).Clone()}
	c, err := jmapclient.Dial(ctx, jmapclient.Options{URL: h.URL, Auth: jmapclient.Auth{Username: h.Login, Password: password}, Transport: h.watched(sent)})
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
	res.ToFirst = time.Duration(sent.after.Load())
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
	done, err := importer.Import(ctx, ar, acc, importer.Options{Events: h.die})
	if err != nil {
		return err
	}
	counts := done.Types[account.Email.Name]
	res.Messages, res.Octets = counts.Created, counts.Bytes
	return ar.Close()
}

// die kills the process when enough is through.
func (h haul) die(e progress.Event) {
	if h.Die > 0 && e.Stage == account.Email.Name && e.Done >= h.Die {
		if p, err := os.FindProcess(os.Getpid()); err == nil {
			_ = p.Kill() // else it lives, which is found out
		}
	}
}

// firstSent notes when the first message is sent, after the start of the process.
type firstSent struct {
	http.RoundTripper
	after atomic.Int64
}

// started is when the process was.
var started = time.Now()

// leastSent is more than any request has that sends no message, and less than
// one that sends some.
const leastSent = 16 << 10

func (f *firstSent) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.ContentLength > leastSent || r.ContentLength < 0 {
		f.after.CompareAndSwap(0, int64(time.Since(started)))
	}
	return f.RoundTripper.RoundTrip(r)
}

// watched is the transport of an import that is to be watched, nil for
// mailhaul's own.
func (h haul) watched(f *firstSent) http.RoundTripper {
	if h.Do == "import" && h.Watch {
		return f
	}
	return nil
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
