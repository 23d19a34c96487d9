package buildstep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Buildpacks of the stack that are special.
const (
	multiPack = "multi"    // is the list in .buildpacks
	aptPack   = "apt"      // is used where it is asked for: an Aptfile alone says nothing of what the app is
	lastPack  = "procfile" // takes whatever has a Procfile, so it is asked last
)

// pack is a buildpack that is there.
type pack struct {
	dir  string
	name string // what it calls the app
}

// plan is how a tree gets built.
type plan struct {
	packs  []Pack
	from   string // who says so
	custom bool   // by BUILDPACK_URL: one buildpack, whatever it says of the tree
	found  *pack  // by detection
}

// plan finds out by which buildpacks: those that the repository lists, those that the app's settings list, those of
// app.json, the one of BUILDPACK_URL, or the first of the stack that knows the tree.
func (b *builder) plan() (plan, error) {
	own, err := readList(appDir + "/.buildpacks")
	if err != nil {
		return plan{}, fmt.Errorf("cannot read .buildpacks: %w", err)
	}
	if len(own) > 0 {
		return plan{packs: own, from: ".buildpacks"}, nil
	}
	set, err := ParsePacks(b.input[InputPacks])
	if err != nil {
		return plan{}, fmt.Errorf("cannot read the app's buildpacks: %w", err)
	}
	if len(set) > 0 {
		return plan{packs: set, from: "the app's buildpacks"}, nil
	}
	if set, err = appJSONPacks(); err != nil {
		return plan{}, fmt.Errorf("cannot read the buildpacks of app.json: %w", err)
	}
	if len(set) > 0 {
		return plan{packs: set, from: "app.json"}, nil
	}
	if entry := b.variable("BUILDPACK_URL"); entry != "" {
		p, err := ParsePack(entry)
		return plan{packs: []Pack{p}, from: "BUILDPACK_URL", custom: true}, err
	}
	found, err := b.detectAll()
	return plan{found: found}, err
}

// variable is the value that programs of the build see.
func (b *builder) variable(key string) string {
	value := ""
	for _, kv := range b.env {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			value = v
		}
	}
	return strings.TrimSpace(value)
}

// maxList is more than a list of buildpacks needs.
const maxList = 64 << 10

func readList(file string) ([]Pack, error) {
	text, err := readSmall(file)
	if err != nil {
		return nil, err
	}
	return ParsePacks(string(text))
}

// readSmall reads a file of the tree, which there need not be.
func readSmall(file string) ([]byte, error) {
	st, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular() || st.Size() > maxList:
		return nil, fmt.Errorf("it has to be a regular file of at most %d KiB", maxList>>10)
	}
	return os.ReadFile(file)
}

// appJSONPacks are the buildpacks that app.json names, {"buildpacks": [{"url": ENTRY}]}.
func appJSONPacks() ([]Pack, error) {
	text, err := readSmall(appDir + "/app.json")
	if err != nil || len(text) == 0 {
		return nil, err
	}
	var file struct {
		Buildpacks []struct{ URL string }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, nil // who reads the rest of it says so
	}
	var packs []Pack
	for _, entry := range file.Buildpacks {
		p, err := ParsePack(entry.URL)
		if err != nil {
			return nil, err
		}
		packs = append(packs, p)
	}
	return packs, nil
}

// detectAll asks the buildpacks of the stack, in the order of their names, and takes the first that knows the tree.
func (b *builder) detectAll() (*pack, error) {
	entries, err := os.ReadDir(buildpackDir)
	if err != nil {
		return nil, fmt.Errorf("cannot find the buildpacks of the stack: %w", err)
	}
	var names []string
	for _, e := range entries {
		if n := e.Name(); e.IsDir() && n != lastPack && n != aptPack && n != multiPack {
			names = append(names, n)
		}
	}
	for _, n := range append(names, lastPack) {
		p := &pack{dir: filepath.Join(buildpackDir, n)}
		out, err := b.ask(p, "detect", appDir)
		if err == nil {
			p.name = nameOf(out, n)
			return p, nil
		}
	}
	b.say("       Unable to select a buildpack")
	return nil, fmt.Errorf("cannot build: no Dockerfile, no Procfile, and none of the buildpacks %s knows this source",
		strings.Join(names, ", "))
}

// nameOf is the name that a buildpack's detect gives to the app.
func nameOf(out, other string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return other
	}
	return line
}

// showPlan tells what a build of the tree would do.
func (b *builder) showPlan() error {
	if err := b.prepare(); err != nil {
		return err
	}
	p, err := b.plan()
	if err != nil {
		return err
	}
	if p.found != nil {
		b.say("       %s: %s", filepath.Base(p.found.dir), p.found.name)
	}
	for _, entry := range p.packs {
		b.say("       %s (by %s)", entry.Shown(), p.from)
	}
	return nil
}

// compileAll has the buildpacks do their work and returns the one whose release counts.
func (b *builder) compileAll(p plan) (*pack, error) {
	switch {
	case p.found != nil:
		b.say("       %s app detected", p.found.name)
		own, err := b.get(Pack{Name: filepath.Base(p.found.dir)}, 0, nil) // for it may write files there
		if err != nil {
			return nil, err
		}
		own.name = p.found.name
		return own, b.compile(own)
	case p.custom:
		return b.compileCustom(p.packs[0])
	}
	b.say("       Multipack app detected")
	var last *pack
	for i, entry := range p.packs {
		got, err := b.get(entry, i, func() { b.say("=====> Downloading Buildpack: %s", entry.Shown()) })
		if err != nil {
			return nil, err
		}
		out, err := b.ask(got, "detect", appDir)
		if err != nil {
			return nil, fmt.Errorf("cannot build: %s lists the buildpack %q, which does not take this source: its bin/detect ended with %w",
				p.from, entry.Shown(), err)
		}
		got.name = nameOf(out, entry.Shown())
		b.say("=====> Detected Framework: %s", got.name)
		if err := b.compile(got); err != nil {
			return nil, err
		}
		if has(got, "release") || last == nil {
			last = got
		}
	}
	b.say("       Using release configuration from last framework (%s).", last.name)
	return last, nil
}

// compileCustom is for the buildpack of BUILDPACK_URL.
func (b *builder) compileCustom(entry Pack) (*pack, error) {
	p, err := b.get(entry, 0, func() { b.say("       Fetching custom buildpack") })
	if err != nil {
		return nil, err
	}
	var out string
	if has(p, "detect") {
		out, _ = b.ask(p, "detect", appDir) // whatever it says: somebody has chosen it
	}
	p.name = nameOf(out, "Custom")
	b.say("       %s app detected", p.name)
	return p, b.compile(p)
}

// compile runs bin/compile, and takes on what the buildpack leaves for those after it.
func (b *builder) compile(p *pack) error {
	if err := b.script(p, "compile", appDir, cacheDir, EnvDir); err != nil {
		return fmt.Errorf("cannot build: bin/compile of the buildpack for %s failed: %w", p.name, err)
	}
	if _, err := os.Stat(p.dir + "/export"); err != nil {
		return nil
	}
	env, err := b.source(". ./export", p.dir)
	if err != nil {
		return fmt.Errorf("cannot build: the file export of the buildpack for %s failed: %w", p.name, err)
	}
	b.env = env
	return nil
}

func has(p *pack, program string) bool {
	st, err := os.Stat(filepath.Join(p.dir, "bin", program))
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}
