package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// enableANSI makes a console obey escape sequences, where it can.
func enableANSI(f *os.File) bool {
	var mode uint32
	h := windows.Handle(f.Fd())
	return windows.GetConsoleMode(h, &mode) == nil && windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
