package unpack_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/unpack"
)

// item is one entry to pack; kind is a tar's type.
type item struct {
	name string
	kind byte
	text string // a file's content, or where a link leads
	mode int64
}

var limit = unpack.Limits{Bytes: 8 << 20, Entries: 1000}

// packed makes the archive; ok is false when the format has no such entries.
func packed(t testing.TB, format string, items []item) (data []byte, ok bool) {
	t.Helper()
	var buf bytes.Buffer
	var err error
	check := func(e error) {
		if e != nil {
			t.Fatal(e)
		}
	}
	if format == "zip" {
		w := zip.NewWriter(&buf)
		for _, i := range items {
			mode := fs.FileMode(i.mode & 0o777)
			switch i.kind {
			case tar.TypeLink:
				return nil, false
			case tar.TypeSymlink:
				mode |= fs.ModeSymlink
			case tar.TypeFifo:
				mode |= fs.ModeNamedPipe
			case tar.TypeChar, tar.TypeBlock:
				mode |= fs.ModeDevice
			case tar.TypeDir:
				mode |= fs.ModeDir
			}
			if i.mode&0o4000 != 0 {
				mode |= fs.ModeSetuid
			}
			h := &zip.FileHeader{Name: i.name, Method: zip.Deflate}
			h.SetMode(mode)
			f, err := w.CreateHeader(h)
			check(err)
			if i.kind != tar.TypeDir {
				_, err = io.WriteString(f, i.text)
				check(err)
			}
		}
		check(w.Close())
		return buf.Bytes(), true
	}
	var out io.Writer = &buf
	var zipped *gzip.Writer
	if format == "tgz" {
		zipped = gzip.NewWriter(&buf)
		out = zipped
	}
	w := tar.NewWriter(out)
	for _, i := range items {
		h := &tar.Header{Name: i.name, Typeflag: i.kind, Mode: i.mode}
		if i.kind == tar.TypeReg {
			h.Size = int64(len(i.text))
		} else {
			h.Linkname = i.text
		}
		check(w.WriteHeader(h))
		if i.kind == tar.TypeReg {
			_, err = io.WriteString(w, i.text)
			check(err)
		}
	}
	check(w.Close())
	if zipped != nil {
		check(zipped.Close())
	}
	return buf.Bytes(), true
}

// tree lists all that is below dir, with what links say and files hold.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err == nil && st.Mode().IsRegular() && st.Size() < 1000 {
			text, readErr := os.ReadFile(path)
			all[path], err = st.Mode().String()+" "+string(text), readErr
		} else if err == nil {
			link, _ := os.Readlink(path)
			all[path] = st.Mode().String() + " " + link
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// archives are what people may send; refused is a part of the answer, "" when it is to be unpacked.
func archives() map[string]struct {
	items   []item
	refused string
} {
	reg := func(name, text string) item { return item{name, tar.TypeReg, text, 0o644} }
	link := func(name, to string) item { return item{name, tar.TypeSymlink, to, 0o777} }
	many := make([]item, 1100)
	for i := range many {
		many[i] = reg(fmt.Sprint("f", i), "")
	}
	return map[string]struct {
		items   []item
		refused string
	}{
		"absolute path":              {[]item{reg("/tmp/unpack-canary", "x")}, "not inside"},
		"parent":                     {[]item{reg("../canary", "x")}, "not inside"},
		"parent inside":              {[]item{reg("a/../../canary", "x")}, "not inside"},
		"parent that stays":          {[]item{reg("a/../b", "x")}, ""},
		"file through a link":        {[]item{link("l", "/tmp"), reg("l/unpack-canary", "x")}, "escapes"},
		"file through a parent link": {[]item{link("l", ".."), reg("l/canary", "x")}, "escapes"},
		"file in place of a link":    {[]item{link("l", "../canary"), reg("l", "x")}, ""},
		"link out":                   {[]item{link("l", "/etc/passwd")}, "leads out"},
		"link to the parent":         {[]item{link("d/l", "../../canary")}, "leads out"},
		"hard link out":              {[]item{{"l", tar.TypeLink, "../canary", 0o644}}, "not inside"},
		"hard link to a link out":    {[]item{link("d/e/l", "../../x"), reg("x", "x"), {"l", tar.TypeLink, "d/e/l", 0o644}}, "leads out"},
		"chained links":              {[]item{link("a", "."), link("b", "a/.."), link("c", "b/../canary"), reg("b/canary", "x")}, "escapes"},
		"links chained later":        {[]item{link("a", "d/x"), {"d", tar.TypeDir, "", 0o755}, link("d/x", "../../canary")}, "leads out"},
		"device":                     {[]item{{"dev", tar.TypeChar, "", 0o666}}, "neither a file"},
		"pipe":                       {[]item{{"pipe", tar.TypeFifo, "", 0o666}}, "neither a file"},
		"setuid":                     {[]item{{"su", tar.TypeReg, "x", 0o4755}}, ""},
		"many entries":               {many, "more than 1000 entries"},
		"zeros":                      {[]item{reg("zeros", strings.Repeat("\x00", 9<<20))}, "more than 8 MB"},
		"odd names":                  {[]item{reg("new\nline", "1"), reg("-rf", "2"), reg("--", "3"), reg("$(id)", "4"), reg("./dot/./slash", "5")}, ""},
		"links that stay":            {[]item{reg("a/b", "x"), link("l", "a"), reg("l/c", "y"), link("dangling", "nowhere"), {"a", tar.TypeDir, "", 0o500}, reg("a/d", "z")}, ""},
	}
}

// TestTraps unpacks archives that were made to do harm: none makes, changes or shows anything outside, and what is
// unpacked is without links that do.
func TestTraps(t *testing.T) {
	t.Parallel()
	tried, survived := 0, 0
	traps := archives()
	for _, name := range slices.Sorted(maps.Keys(traps)) {
		for _, format := range []string{"tar", "tgz", "zip"} {
			trap := traps[name]
			data, ok := packed(t, format, trap.items)
			if !ok {
				data, _ = packed(t, "tar", trap.items) // zip has no hard links
			}
			tried++
			base := t.TempDir()
			dir := filepath.Join(base, "src")
			if err := os.WriteFile(base+"/canary", []byte("canary"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			err := unpack.Into(dir, bytes.NewReader(data), limit)
			if (err == nil) != (trap.refused == "") || err != nil && !strings.Contains(err.Error(), trap.refused) {
				t.Errorf("%s as %s: got %v, want %q", name, format, err, trap.refused)
				continue
			}
			_, outside := os.Lstat("/tmp/unpack-canary")
			all := tree(t, base)
			for path, what := range all {
				if !strings.HasPrefix(path, dir) && path != base && path != base+"/canary" || strings.HasPrefix(what, "u") || strings.Contains(what, "canary ") {
					t.Errorf("%s as %s: there is %s %q", name, format, path, what)
				}
			}
			if all[base+"/canary"] != "-rw-r--r-- canary" || outside == nil {
				t.Errorf("%s as %s: the canary is %q", name, format, all[base+"/canary"])
				continue
			}
			survived++
		}
	}
	t.Logf("%d archives tried, %d survived", tried, survived)
}

// TestUnpack keeps contents, links, modes and times.
func TestUnpack(t *testing.T) {
	t.Parallel()
	items := []item{{"bin", tar.TypeDir, "", 0o755}, {"bin/run", tar.TypeReg, "#!/bin/sh\n", 0o755}, {"readme", tar.TypeReg, "text", 0o640},
		{"readme", tar.TypeReg, "later text", 0o640}, {"link", tar.TypeSymlink, "bin/run", 0o777}, {"deep/er/file", tar.TypeReg, "", 0o444}}
	for _, format := range []string{"tar", "tgz", "zip"} {
		data, _ := packed(t, format, items)
		dir := t.TempDir()
		if err := unpack.Into(dir, bytes.NewReader(data), limit); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		got := tree(t, dir)
		for name, want := range map[string]string{"bin/run": "-rwxr-xr-x #!/bin/sh\n", "readme": "-rw-r----- later text", "link": "Lrwxrwxrwx bin/run", "deep/er/file": "-rw-r--r-- "} {
			if got[filepath.Join(dir, name)] != want {
				t.Errorf("%s: %s: got %q, want %q", format, name, got[filepath.Join(dir, name)], want)
			}
		}
	}
	for _, text := range []string{"", "no archive", "PK\x03\x04 and no more", strings.Repeat("\x00", 1024)} {
		if err := unpack.Into(t.TempDir(), strings.NewReader(text), limit); err == nil {
			t.Errorf("%.20q: got no error", text)
		}
	}
}

// TestCut unpacks archives of which the end is missing, as when a connection breaks: none is taken for whole.
func TestCut(t *testing.T) {
	t.Parallel()
	items := []item{{"a", tar.TypeReg, "first", 0o644}, {"b", tar.TypeReg, strings.Repeat("second", 300), 0o644}, {"c", tar.TypeReg, "", 0o644}}
	tried := 0
	for _, format := range []string{"tar", "tgz", "zip"} {
		data, _ := packed(t, format, items)
		for cut := range len(data) {
			if format == "tar" && cut%64 != 0 {
				continue // a tar has blocks of 512
			}
			tried++
			if err := unpack.Into(t.TempDir(), bytes.NewReader(data[:cut]), limit); err == nil {
				t.Errorf("%s, %d bytes of %d: got no error", format, cut, len(data))
			}
		}
		if err := unpack.Into(t.TempDir(), io.MultiReader(bytes.NewReader(data), strings.NewReader(strings.Repeat("\x00", 8192))), limit); err != nil && format == "tar" {
			t.Errorf("tar with padding: %v", err)
		}
	}
	t.Logf("%d cuts tried", tried)
}

// TestKinds has archives be of the kind that is asked for.
func TestKinds(t *testing.T) {
	t.Parallel()
	if got := unpack.Kinds(); !slices.Equal(got, []string{"tar", "tar.gz", "zip"}) {
		t.Errorf("got %q", got)
	}
	for _, c := range []struct {
		kind, format string
		ok           bool
	}{{"tar", "tar", true}, {"tar", "tgz", true}, {"tar", "zip", false}, {"tar.gz", "tar", false}, {"tar.gz", "tgz", true},
		{"tar.gz", "zip", false}, {"zip", "zip", true}, {"zip", "tar", false}, {"", "zip", true}} {
		data, _ := packed(t, c.format, []item{{"a", tar.TypeReg, "text", 0o644}})
		err := unpack.IntoAs(c.kind, t.TempDir(), bytes.NewReader(data), limit)
		if (err == nil) != c.ok || err != nil && err.Error() != "it is no "+c.kind+" archive" {
			t.Errorf("%s as %q: got %v", c.format, c.kind, err)
		}
	}
}

// FuzzInto takes any bytes for an archive: nothing but the directory changes, and no link in it leads out.
func FuzzInto(f *testing.F) {
	for _, trap := range archives() {
		for _, format := range []string{"tar", "zip"} {
			if data, ok := packed(f, format, trap.items); ok && len(data) < 20_000 {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		base := t.TempDir()
		dir := filepath.Join(base, "src")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		err := unpack.Into(dir, bytes.NewReader(data), limit)
		for path := range tree(t, base) {
			if path != base && path != dir && !strings.HasPrefix(path, dir+"/") {
				t.Errorf("there is %s", path)
			}
		}
		if err != nil {
			return
		}
		for path, what := range tree(t, dir) {
			if to, err := filepath.EvalSymlinks(path); err == nil && strings.HasPrefix(what, "L") && !strings.HasPrefix(to, dir) {
				t.Errorf("%s leads to %s", path, to)
			}
		}
	})
}
