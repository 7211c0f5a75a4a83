package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that the page of guarantees names exists, on this system or another.
func TestGuaranteesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "guarantees.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 50 {
		t.Errorf("only %d tests are named as `package.TestName`", len(named))
	}
	if n := len(regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]`).FindAllString(string(page), -1)); n != len(named) {
		t.Errorf("%d tests are named, %d of them as `package.TestName`", n, len(named))
	}
	tests := map[string]map[string]bool{}
	for _, m := range named {
		dir, name := m[1], m[2]
		if tests[dir] == nil {
			tests[dir] = testsIn(t, filepath.Join(root, filepath.FromSlash(dir)))
		}
		if !tests[dir][name] {
			t.Errorf("there is no test %s in %s", name, dir)
		}
	}
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| Promise") && !strings.Contains(line, ".Test") && !strings.Contains(line, ".Fuzz") {
			t.Errorf("a promise that no test shows: %s", line)
		}
	}
}

// testsIn are the names of the tests in a directory.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}
