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

// syncNames does nothing: NTFS journals the names.
func syncNames(string) error { return nil }

// FreeBytes is how much may be written to the volume of dir, -1 when unknown.
func FreeBytes(dir string) int64 {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return -1
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return -1
	}
	return int64(free)
}
