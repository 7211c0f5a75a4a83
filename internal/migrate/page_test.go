package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sampleReport is a report with an account of each kind, and names that mean harm.
func sampleReport() *Report {
	begun := time.Date(2026, 3, 1, 22, 0, 0, 0, time.UTC)
	done := func(step Step, messages int64) Outcome {
		return Outcome{Step: step, State: Done, Started: begun, Ended: begun.Add(time.Minute), Runs: 1, Messages: messages, Bytes: messages * 9000}
	}
	account := func(name string, messages int64, last Outcome) *Account {
		a := &Account{Name: name, Target: name, Messages: messages, Bytes: messages * 4500, Steps: map[Step]Outcome{}}
		for _, step := range Steps {
			if step == last.Step {
				break
			}
			a.Steps[step] = done(step, messages)
		}
		a.Steps[last.Step] = last
		return a
	}
	rep := &Report{Plan: "plan.toml", Old: "https://old.example.org", New: "https://new.example.org", Written: begun.Add(time.Hour), Started: begun, Ended: begun.Add(time.Hour),
		Totals: Totals{Accounts: 4, Verified: 1, Attention: 3, Messages: 1234, Unsubscribed: 1},
		Accounts: []*Account{
			account("alice", 900, done(VerifyStep, 900)),
			account("<script>alert(1)</script>", 9, Outcome{Step: CopyStep, State: Failed, Error: "the account is full", Advice: "raise the quota"}),
			account("carol", 25, Outcome{Step: VerifyStep, State: Differs, Detail: Detail{ItemsAll: 70, Items: []Item{{"Email", "Inbox: lunch", "missing: not there", ""}}}}),
			account("dave", 300, Outcome{Step: CutoverStep, State: Partial, Detail: Detail{ItemsAll: 1, Items: []Item{{"Email", "Inbox: \"big\"", "too large", "raise the limit"}}}}),
		}}
	for i := range 40 {
		step := CopyStep
		if i > 30 {
			step = VerifyStep
		}
		rep.Chart = append(rep.Chart, Point{At: begun.Add(time.Duration(i) * time.Second), Step: step, Messages: int64(i%31) * 40})
	}
	return rep
}

// The page is whole by itself: nothing is fetched, and nothing from a server
// becomes markup.
func TestThePageNeedsNothingElse(t *testing.T) {
	page, err := sampleReport().page()
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{`src=`, `@import`, `url(`, `<link`, `<script>alert`} {
		if strings.Contains(string(page), wrong) {
			t.Errorf("the page holds %q", wrong)
		}
	}
	for _, want := range []string{"raise the quota", "Inbox: lunch", "and 69 more", "<polyline class=\"copy\"", "<polyline class=\"verify\"", "--borrow-sign-in"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// chromium is a real browser, which CI has.
func chromium(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not installed: make needs")
		}
		t.Skip("chromium is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir=" + t.TempDir()}, args...)...).Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return string(out)
}

var firstCells = regexp.MustCompile(`<td><a href="#a\d+">([^<]*)`)

// In a browser the table has all accounts, and a click on a head sorts it.
func TestThePageInABrowser(t *testing.T) {
	t.Parallel()
	page, err := sampleReport().page()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	open := func(name, script string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(strings.Replace(string(page), "</body>", script+"</body>", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		return "file://" + file
	}
	names := func(dom string) (list []string) {
		for _, m := range firstCells.FindAllStringSubmatch(dom, -1) {
			list = append(list, m[1])
		}
		return list
	}
	const evil = "&lt;script&gt;alert(1)&lt;/script&gt;"
	// The script keeps the table as it was, then clicks on the head of the messages.
	dom := chromium(t, "--dump-dom", open("sorted.html", `<script>
document.body.append(document.querySelector('#accounts').cloneNode(true));
document.querySelectorAll('#accounts th button')[3].click()</script>`))
	want := []string{evil, "carol", "dave", "alice", "alice", evil, "carol", "dave"}
	if diff := cmp.Diff(want, names(dom)); diff != "" {
		t.Errorf("accounts by messages, and as they came:\n%s", diff)
	}

	shot := filepath.Join(dir, "report.png")
	if kept := os.Getenv("MAILHAUL_SCREENSHOT"); kept != "" {
		shot = kept // to be looked at
	}
	chromium(t, "--window-size=1100,1500", "--screenshot="+shot, open("report.html", ""))
	f, err := os.Open(shot)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	colours := map[string]bool{}
	for y := 0; y < picture.Bounds().Dy(); y += 3 {
		for x := 0; x < picture.Bounds().Dx(); x += 3 {
			colours[fmt.Sprint(picture.At(x, y))] = true
		}
	}
	if len(colours) < 20 {
		t.Errorf("the screenshot shows %d colours: nothing is drawn", len(colours))
	}
}

// What is written as JSON is what the page was made of.
func TestReportFiles(t *testing.T) {
	dir, rep := t.TempDir(), sampleReport()
	if _, err := rep.Write(dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, ReportJSON))
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rep, &back); diff != "" {
		t.Error(diff)
	}
}
