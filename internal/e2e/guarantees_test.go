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

// Every test that a page names exists, on this system or another.
func TestPagesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	const root = "../.."
	var pages []string
	for _, in := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		list, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(in)))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, list...)
	}
	tests := map[string]map[string]bool{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
		if n := len(regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]`).FindAllString(string(text), -1)); n != len(named) {
			t.Errorf("%s names %d tests, %d of them as `package.TestName`", page, n, len(named))
		}
		for _, m := range named {
			dir, name := m[1], m[2]
			if tests[dir] == nil {
				tests[dir] = testsIn(t, filepath.Join(root, filepath.FromSlash(dir)))
			}
			if !tests[dir][name] {
				t.Errorf("%s: there is no test %s in %s", page, name, dir)
			}
		}
	}
}

func TestEveryPromiseHasATest(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "guarantees.md"))
	if err != nil {
		t.Fatal(err)
	}
	promises := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| Promise") {
			continue
		}
		promises++
		if !strings.Contains(line, ".Test") && !strings.Contains(line, ".Fuzz") {
			t.Errorf("a promise that no test shows: %s", line)
		}
	}
	if promises < 20 {
		t.Errorf("only %d promises", promises)
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
