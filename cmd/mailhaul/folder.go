package main

import (
	"fmt"
	"strings"
)

// deviceNames can't be file names on Windows, whatever follows a dot.
const deviceNames = " CON PRN AUX NUL COM0 COM1 COM2 COM3 COM4 COM5 COM6 COM7 COM8 COM9 LPT0 LPT1 LPT2 LPT3 LPT4 LPT5 LPT6 LPT7 LPT8 LPT9 "

// folderName is the name of an account's folder: the account's own, with each
// byte that some file system takes for more than a letter as %XX. Two accounts
// never share one, and none of them leaves the folder it is put in.
func folderName(account string) string {
	var b strings.Builder
	for i, c := range []byte(account) {
		first, last := i == 0, i == len(account)-1
		switch {
		case c < ' ' || c == 0x7f || strings.IndexByte(`%/\:*?"<>|`, c) >= 0,
			c == '.' && (first || last),
			c == ' ' && (first || last),
			first && isDevice(account):
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isDevice(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	return !strings.Contains(base, " ") && strings.Contains(deviceNames, " "+strings.ToUpper(base)+" ")
}
