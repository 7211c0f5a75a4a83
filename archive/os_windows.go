package archive

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// isFull says whether err means that there is no room: on the volume, or in
// the user's quota.
func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// isReadOnly says whether err means that one may not write there.
func isReadOnly(err error) bool {
	return errors.Is(err, windows.ERROR_WRITE_PROTECT) || errors.Is(err, os.ErrPermission)
}

// syncDir does nothing: NTFS journals the names.
func syncDir(string) error { return nil }
