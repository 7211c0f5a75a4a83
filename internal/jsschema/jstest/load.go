package jstest

import (
	"encoding/json"
	"os"
	"testing"

	"mailhaul/account"
)

// Load reads a file of objects: one JSON array.
func Load(t testing.TB, file string) []account.Object {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []account.Object
	if err := json.Unmarshal(data, &list); err != nil || len(list) == 0 {
		t.Fatalf("%s: %d objects, %v", file, len(list), err)
	}
	return list
}
