package migrate

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writeMetrics writes a file in Prometheus' text format, whole or not at all,
// as its node exporter reads it from a directory.
func writeMetrics(file string, v *View) error {
	var b strings.Builder
	gauge := func(name, help string, value float64, labels string) {
		if help != "" {
			fmt.Fprintf(&b, "# HELP mailhaul_migrate_%s %s\n# TYPE mailhaul_migrate_%[1]s gauge\n", name, help)
		}
		fmt.Fprintf(&b, "mailhaul_migrate_%s%s %g\n", name, labels, value)
	}
	step := fmt.Sprintf("{step=%q}", v.Step)
	gauge("accounts", "Accounts of the step.", float64(v.Accounts), step)
	help := "Accounts of the step by what became of them."
	for _, state := range slices.Sorted(maps.Keys(v.States)) {
		gauge("accounts_by_state", help, float64(v.States[state]), fmt.Sprintf("{step=%q,state=%q}", v.Step, state))
		help = ""
	}
	gauge("messages", "Messages that the step is through with.", float64(v.Messages), step)
	gauge("messages_expected", "Messages of all its accounts.", float64(v.Total), step)
	gauge("bytes", "Octets of mail fetched and sent by the step.", float64(v.Bytes), step)
	gauge("messages_per_second", "Messages a second, of late.", v.PerSecond, step)
	gauge("bytes_per_second", "Octets a second, of late.", v.BytesPerSec, step)
	gauge("updated_timestamp_seconds", "When this was written.", float64(v.At.UnixMilli())/1000, "")
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err == nil {
		_, err = f.WriteString(b.String())
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err == nil {
			err = os.Chmod(f.Name(), 0o644) // another user's process reads it; it names no account
		}
		if err == nil {
			err = os.Rename(f.Name(), file)
		}
		if err != nil {
			_ = os.Remove(f.Name()) // the error before it is the one to tell
		}
	}
	if err != nil {
		return fmt.Errorf("could not write the metrics: %w", err)
	}
	return nil
}
