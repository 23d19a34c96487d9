package deploy

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
)

// TestHashTree makes trees that differ in one thing only.
func TestHashTree(t *testing.T) {
	t.Parallel()
	type tree map[string]string // by name; "-> TARGET" is a link, a name that ends in / a directory
	seen := map[string]string{}
	for name, c := range map[string]struct {
		tree tree
		mode os.FileMode
	}{
		"plain":     {tree{"a": "1", "b": "2"}, 0o644},
		"content":   {tree{"a": "1", "b": "3"}, 0o644},
		"name":      {tree{"a": "1", "c": "2"}, 0o644},
		"mode":      {tree{"a": "1", "b": "2"}, 0o755},
		"more":      {tree{"a": "1", "b": "2", "c": ""}, 0o644},
		"deeper":    {tree{"a": "1", "b/b": "2"}, 0o644},
		"directory": {tree{"a": "1", "b": "2", "c/": ""}, 0o644},
		"link":      {tree{"a": "1", "b": "-> a"}, 0o644},
		"other":     {tree{"a": "1", "b": "-> /a"}, 0o644},
		"boundary":  {tree{"a": "12", "b": ""}, 0o644},
		"newline":   {tree{"a\nb": "12"}, 0o644},
		"nothing":   {tree{}, 0o644},
	} {
		dir := t.TempDir()
		for file, text := range c.tree {
			path := filepath.Join(dir, file)
			err := os.MkdirAll(filepath.Dir(path), 0o755)
			switch {
			case err != nil:
			case file[len(file)-1] == '/':
				err = os.MkdirAll(path, 0o755)
			case len(text) > 3 && text[:3] == "-> ":
				err = os.Symlink(text[3:], path)
			default:
				if err = os.WriteFile(path, []byte(text), 0o644); err == nil {
					err = os.Chmod(path, c.mode)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var sums [2]string
		for i := range sums {
			sum := sha256.New()
			if err := hashTree(sum, dir); err != nil {
				t.Fatal(err)
			}
			sums[i] = string(sum.Sum(nil))
		}
		if sums[0] != sums[1] {
			t.Errorf("%s: another hash for the same", name)
		}
		if other, ok := seen[sums[0]]; ok {
			t.Errorf("%s: the hash of %s", name, other)
		}
		seen[sums[0]] = name
	}
}

// TestStrangers lays down plugins of others beside stubs of core's.
func TestStrangers(t *testing.T) {
	t.Parallel()
	const stub = "#!/usr/bin/env -S dokku core-hook builder\n"
	for _, c := range []struct {
		file, text string
		want       bool
	}{
		{"builder/builder-detect", stub, false},
		{"builder/builder-detect", stub + "echo\n", true}, // edited
		{"other/builder-detect", "#!/bin/sh\n", true},
		{"other/pre-build", "#!/bin/sh\n", true},
		{"other/pre-build-buildstep", "#!/bin/sh\n", true},
		{"other/post-build-pack", "#!/bin/sh\n", true},
		{"other/docker-args-build", "#!/bin/sh\n", true},
		{"other/docker-args-process-build", "#!/bin/sh\n", true},
		{"other/post-extract", "#!/bin/sh\n", false}, // changes the tree
		{"other/pre-release", "#!/bin/sh\n", false},
		{"builder-nix/builder-build", "#!/bin/sh\n", false}, // is about its own builds
		{"builder-nix/pre-build", "#!/bin/sh\n", true},
		{"builder-herokuish/builder-build", "#!/bin/sh\n", false}, // of others, all of it
		{".other/pre-build", "#!/bin/sh\n", false},
		{"available/pre-build", "#!/bin/sh\n", false},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(c.file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o755); err != nil {
			t.Fatal(err)
		}
		if got, err := strangers(dir, "herokuish"); got != c.want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", c.file, got, err, c.want)
		}
	}
	dir := t.TempDir() // core's, of which one file was edited
	for name, text := range map[string]string{"builder-inputs": stub, "builder-build": stub + "echo\n"} {
		if err := os.MkdirAll(dir+"/builder-herokuish", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/builder-herokuish/"+name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := strangers(dir, "herokuish"); !got || err != nil {
		t.Errorf("an edited builder: got %v, %v", got, err)
	}
	if got, err := strangers(t.TempDir()+"/none", "herokuish"); got || err != nil {
		t.Errorf("no plugins: got %v, %v", got, err)
	}
}
