//go:build !windows

package main

import "os"

// enableANSI is for the consoles of Windows: terminals elsewhere obey already.
func enableANSI(*os.File) bool { return true }
