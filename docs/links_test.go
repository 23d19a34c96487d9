package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	core "github.com/dokku-go/dokku/plugins-core"
)

// pages lists the pages for people: those in docs, and those at the root.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, glob := range []string{"*.md", "*/*.md", "../*.md"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files...)
	}
	if len(all) < 10 {
		t.Fatalf("got the pages %v", all)
	}
	return all
}

// fences takes a page apart: the text without its fenced blocks, and the blocks with what stands behind their fence.
func fences(page string) (prose string, blocks []fence) {
	var b strings.Builder
	var open *fence
	for line := range strings.Lines(page) {
		kind, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && open == nil:
			open = &fence{kind: kind}
		case isFence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line
		default:
			b.WriteString(line)
		}
	}
	return b.String(), blocks
}

type fence struct{ kind, text string }

// TestLinks follows the links of all pages to files and to headings in them.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^()\s]+)\)`)
	for _, page := range pages(t) {
		prose, _ := fences(read(t, page))
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue // not asked of the network
			}
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, file)), anchor) {
				t.Errorf("%s: the link %s leads to no heading", page, m[1])
			}
		}
	}
}

// anchors are the names by which the headings of a page are linked to.
func anchors(page string) []string {
	prose, _ := fences(page)
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	var out []string
	for line := range strings.Lines(prose) {
		if strings.HasPrefix(line, "#") {
			heading := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
			out = append(out, strings.ReplaceAll(drop.ReplaceAllString(heading, ""), " ", "-"))
		}
	}
	return out
}

// TestIndex makes sure that every page can be reached from the index.
func TestIndex(t *testing.T) {
	index := read(t, "index.md")
	for _, page := range pages(t) {
		if page != "index.md" && !strings.Contains(index, "]("+page+")") {
			t.Errorf("index.md has no link to %s", page)
		}
	}
}

// TestCommandLines makes sure that the commands which pages show are there: in blocks, and in the text between
// backquotes.
func TestCommandLines(t *testing.T) {
	known := knownWords(t)
	verbLike := regexp.MustCompile(`^[a-z]+:[a-z-]+$`)
	for _, page := range pages(t) {
		prose, blocks := fences(read(t, page))
		lines := code(prose)
		for _, b := range blocks {
			if b.kind != "go" && b.kind != "" && b.kind != "sh" && b.kind != "txtar" {
				t.Errorf("%s: a block of kind %q: nobody tests it", page, b.kind)
			}
			if b.kind == "" || b.kind == "sh" {
				lines = append(lines, strings.Split(b.text, "\n")...)
			}
		}
		for _, line := range lines {
			for _, program := range slices.Sorted(slices.Values([]string{"dokku", "sshcommand", "./bootstrap.sh", "make"})) {
				if word, ok := behind(line, program); ok && !known[program][word] {
					t.Errorf("%s: %q: %s has no %q", page, line, program, word)
				}
			}
			if verb, _, _ := strings.Cut(line, " "); verbLike.MatchString(verb) && !known["dokku"][verb] {
				t.Errorf("%s: dokku has no %q", page, verb)
			}
			checkScriptName(t, page, line)
		}
	}
}

// behind returns the word behind the program, where a command line or a part of a pipeline runs it.
func behind(line, program string) (string, bool) {
	for part := range strings.SplitSeq(line, "|") {
		words := strings.Fields(part)
		for len(words) > 0 && (words[0] == "sudo" || words[0] == "!" || words[0] == "exec" || strings.Contains(words[0], "=")) {
			words = words[1:]
		}
		if len(words) < 2 || words[0] != program {
			continue
		}
		if word := words[1]; word == strings.ToLower(word) && !strings.ContainsAny(word[:1], "-[<.") {
			return word, true
		}
	}
	return "", false // or a flag, or a word that stands for others
}

// knownWords are the commands of our programs.
func knownWords(t *testing.T) map[string]map[string]bool {
	t.Helper()
	known := map[string]map[string]bool{
		"dokku":          {"help": true, "core-hook": true, "core-install": true, "core-stack": true},
		"sshcommand":     {},
		"./bootstrap.sh": {},
		"make":           {},
	}
	for _, p := range core.All() {
		for _, c := range p.Commands {
			for _, name := range append(c.Aliases, c.Name) {
				known["dokku"][name] = true
			}
		}
	}
	for _, app := range commandLines() {
		for _, c := range app.Commands {
			if known[app.Name] != nil {
				known[app.Name][c.Name] = true
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^    ([a-z |-]+)\)`).FindAllStringSubmatch(read(t, "../bootstrap.sh"), -1) {
		for word := range strings.SplitSeq(m[1], "|") {
			known["./bootstrap.sh"][strings.TrimSpace(word)] = true
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^([a-z -]+):`).FindAllStringSubmatch(read(t, "../Makefile"), -1) {
		for word := range strings.FieldsSeq(m[1]) {
			known["make"][word] = true
		}
	}
	for program, words := range known {
		if len(words) < 4 {
			t.Fatalf("found the commands %v of %s", words, program)
		}
	}
	return known
}

// checkScriptName makes sure that the scripts which pages have people run are there.
func checkScriptName(t *testing.T, page, line string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`-run '(Test[^']+)'`).FindAllStringSubmatch(line, -1) {
		parts := strings.Split(m[1], "/")
		if len(parts) < 2 {
			continue
		}
		found := false
		for _, part := range parts[1:] {
			_, err := os.Stat("../testscripts/" + part + ".txtar")
			found = found || err == nil
		}
		if !found {
			t.Errorf("%s: %s names no script", page, m[1])
		}
	}
}
