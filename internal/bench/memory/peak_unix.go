//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
)

// peakResident is the most memory that an ended process held, in octets.
func peakResident(p *os.ProcessState) (int64, error) {
	peak := int64(p.SysUsage().(*syscall.Rusage).Maxrss)
	if runtime.GOOS != "darwin" {
		peak <<= 10 // getrusage(2) counts kilobytes, but on macOS
	}
	return peak, nil
}
