package app_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dokku-go/dokku/plugins-core/internal/app"
)

var pattern = sync.OnceValue(func() *regexp.Regexp {
	label := `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`
	return regexp.MustCompile(`^` + label + `(\.` + label + `)*$`)
})

// rule is [app.NameRule] written another way, with the length and the reserved words.
func rule(name string) bool {
	return len(name) <= 100 && pattern().MatchString(name) && name != "tls" && name != "plugins" &&
		name != "stack" && name != "stack-base" && net.ParseIP(name) == nil
}

// names makes 250 and some names: the ones an attacker or a typo gives, and each of a row of frames around each of a row
// of bytes.
func names() []string {
	out := []string{
		"", ".", "..", "../x", "a/b", "/a", "a/", "a b", "-x", "--global", ".ssh", "A", "a_b", "a:b", "a;id", "$(id)",
		"`id`", "a\x00b", "a.", ".a", "a..b", "ä", "a\u200bb", "tls", "plugins", "tls.example.com", "plugins-2", "a",
		"stack", "stack-base", "stacks", "stack-bases", "stack.example.com",
		"1", "0x1", "1.2.3.4", "01.2.3.4", "1.2.3.4.5", "1.2.3", "::1", "www.example.com", "xn--bcher-kva.example",
		"a--b", "a-", "a.-b", "a-.b", "a\n", "\na", "a\r", "\xff", "a\\b", "~", "~a", "*", "a*", "?", "[a]", "{a}", "a{", "a|b",
		"a&b", "a>b", "a<b", "'a'", "\"a\"", "a#b", "a%20b", "a=b", "a,b", "a@b", "a+b", "con", "dokkurc", "HEAD",
		strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 255), strings.Repeat("a", 5000),
		strings.Repeat("a.", 49) + "aa", strings.Repeat("a.", 50) + "a", strings.Repeat("a", 63) + ".b", strings.Repeat("a", 64) + ".b",
	}
	frames := []string{"%s", "a%s", "%sa", "a%sa", "a.%s", "%s.a"}
	for _, c := range []string{"z", "9", "-", ".", "_", "/", "\\", " ", "\t", "\n", "\x00", "\x7f", "A", "Z", "é", "\x80", "%", "$", ":", ";",
		"{", "}", "'", "\"", "..", "--", "-.", ".-", "/..", "../"} {
		for _, frame := range frames {
			out = append(out, fmt.Sprintf(frame, c))
		}
	}
	return out
}

// TestCheckName compares the accepted names with the documented rule, and makes sure that none of them leads anywhere
// but to a directory right below the root.
func TestCheckName(t *testing.T) {
	t.Parallel()
	all := names()
	if len(all) < 250 {
		t.Fatalf("got %d names, want at least 250", len(all))
	}
	accepted := 0
	for _, name := range all {
		err := app.CheckName(name)
		if got, want := err == nil, rule(name); got != want {
			t.Errorf("CheckName(%q): got %v, want accepted: %v", name, err, want)
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), fmt.Sprintf("cannot use %q as an app name: ", name)) {
				t.Errorf("CheckName(%q): got the message %q", name, err)
			}
			continue
		}
		accepted++
		if escapes(name) {
			t.Errorf("CheckName(%q): accepted, and leads out of the root", name)
		}
	}
	if accepted < 20 {
		t.Errorf("got %d names accepted, want some of each frame", accepted)
	}
}

// escapes tells whether the path of an app is anything but an entry of the root of that very name.
func escapes(name string) bool {
	a := app.App{Name: name, Root: "/root/apps"}
	return a.Dir() != "/root/apps/"+name || filepath.Dir(a.Dir()) != "/root/apps" || filepath.Base(a.Dir()) != name ||
		strings.HasPrefix(name, ".") || a.Path("ENV") != "/root/apps/"+name+"/ENV" || strings.ContainsAny(a.Image(""), " :@\x00") && strings.Count(a.Image(""), ":") != 1
}

// FuzzCheckName looks for a name that is accepted and leads out of the root, or that the documented rule refuses.
func FuzzCheckName(f *testing.F) {
	for _, name := range names() {
		if len(name) < 200 {
			f.Add(name)
		}
	}
	f.Fuzz(func(t *testing.T, name string) {
		ok := app.CheckName(name) == nil
		if ok != rule(name) {
			t.Errorf("CheckName(%q): got accepted: %v, want %v", name, ok, !ok)
		}
		if ok && escapes(name) {
			t.Errorf("CheckName(%q): accepted, and leads out of the root", name)
		}
	})
}

// newApp makes an app with state files.
func newApp(t testing.TB, files map[string]string) app.App {
	t.Helper()
	a := app.App{Name: "one", Root: t.TempDir()}
	if err := os.Mkdir(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(a.Path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func TestList(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if names, err := app.List(root); err != nil || len(names) != 0 {
		t.Errorf("empty root: got %v, %v", names, err)
	}
	elsewhere := filepath.Join(t.TempDir(), "volume")
	for _, dir := range []string{"web", "api.example.com", "1", "tls", "plugins", ".ssh", ".destroyed-web", "Upper", "a_b", "lost+found"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"dokkurc", "version"} {
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// An app on another volume is an app: everybody who asks for its directory finds one.
	if err := os.Mkdir(elsewhere, 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"moved": elsewhere, "dangling": elsewhere + "-gone"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := app.List(root)
	if want := []string{"1", "api.example.com", "moved", "web"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, name := range got {
		if _, err := app.Find(root, name); err != nil {
			t.Errorf("Find(%q): %v", name, err)
		}
	}
	for _, name := range []string{"tls", ".ssh", "Upper", "none", "", "..", "web/", "dangling"} {
		if _, err := app.Find(root, name); err == nil || err.Error() != "App "+name+" does not exist" {
			t.Errorf("Find(%q): got %v", name, err)
		}
	}
	if _, err := app.List(filepath.Join(root, "none")); err == nil {
		t.Error("List of a root that is not there: got no error")
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	a := newApp(t, map[string]string{"PORT": "123\n", "URLS": "a\nb\n", "NOEND": "x"})
	for file, want := range map[string]string{"PORT": "123", "URLS": "a\nb", "NOEND": "x", "NONE": ""} {
		if got := a.State(file); got != want {
			t.Errorf("State(%q): got %q, want %q", file, got, want)
		}
	}
	if err := a.SetState("PORT", "99"); err != nil || a.State("PORT") != "99" {
		t.Errorf("got %q, %v, want 99", a.State("PORT"), err)
	}
	for range 2 {
		if err := a.SetState("PORT", ""); err != nil || a.State("PORT") != "" {
			t.Errorf("got %q, %v, want none", a.State("PORT"), err)
		}
	}
}

func TestMergedEnv(t *testing.T) {
	t.Parallel()
	a := newApp(t, map[string]string{"ENV": "export A='own'\nexport B='b'\n"})
	if err := os.WriteFile(filepath.Join(a.Root, "ENV"), []byte("export A=global\nexport C=c\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	vars, err := a.MergedEnv()
	if got, want := vars.List(), []string{"A=own", "B=b", "C=c"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if err := os.WriteFile(a.Path("ENV"), []byte("export A='"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := a.MergedEnv(); err == nil {
		t.Error("a broken file: got no error")
	}
}

// TestSnapshot changes state files in every way and takes the changes back.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	before := map[string]string{"CONTAINER": "c1\n", "PORT": "1\n", "PORT.web.1": "1\n", "PORT.web.2": "2\n", "CONTAINER.web.1": "c1\n", "EMPTY": "", "ENV": "export A=1\n"}
	a := newApp(t, before)
	s, err := a.Snapshot("CONTAINER", "PORT", "URL", "EMPTY", "PORT.*", "CONTAINER.*")
	if err != nil {
		t.Fatal(err)
	}
	for file, value := range map[string]string{"CONTAINER": "c2", "PORT": "", "PORT.web.1": "11", "PORT.web.2": "", "PORT.web.3": "3",
		"CONTAINER.web.1": "", "URL": "http://x", "EMPTY": "", "IP.web.3": "ip", "ENV": "export A=2"} {
		if err := a.SetState(file, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Restore("PORT.web.3", "IP.web.3", "CONTAINER.web.1", "IP.web.9"); err != nil {
		t.Fatal(err)
	}
	before["ENV"] = "export A=2\n" // not asked for
	entries, err := os.ReadDir(a.Dir())
	if err != nil || len(entries) != len(before) {
		t.Errorf("got %v, %v, want %d files", entries, err, len(before))
	}
	for file, want := range before {
		if got, err := os.ReadFile(a.Path(file)); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", file, got, err, want)
		}
	}
}

// TestSnapshotOddRoot has a root whose name means something in a pattern.
func TestSnapshotOddRoot(t *testing.T) {
	t.Parallel()
	a := app.App{Name: "one", Root: filepath.Join(t.TempDir(), "a[b]*")}
	if err := os.MkdirAll(a.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := a.SetState("PORT.web.1", "1"); err != nil {
		t.Fatal(err)
	}
	s, err := a.Snapshot("PORT.*")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.SetState("PORT.web.1", "2"); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(); err != nil || a.State("PORT.web.1") != "1" {
		t.Errorf("got %q, %v, want 1", a.State("PORT.web.1"), err)
	}
}

// TestCreate makes an app, refuses it a second time, leaves nothing of one that came to nothing, and makes to the end
// what somebody was killed in.
func TestCreate(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	a := app.App{Name: "a", Root: root}
	var taken *app.TakenError
	furnish := func() error { return os.WriteFile(a.Path("furniture"), nil, 0o644) }
	if err := a.Create(furnish); err != nil {
		t.Fatal(err)
	}
	if err := a.Create(furnish); !errors.As(err, &taken) {
		t.Errorf("got %v, want that it is taken", err)
	}
	if err := os.Remove(a.Path("furniture")); err != nil {
		t.Fatal(err)
	}
	for _, left := range [][]string{nil, {"..creating12345"}, {".creating", "half"}} {
		for _, name := range left {
			if err := os.WriteFile(a.Path(name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Create(func() error { return errors.Join(furnish(), errors.New("refused")) }); err == nil || a.Exists() {
			t.Errorf("%v: got %v and an app: %v", left, err, a.Exists())
		}
		if entries, err := os.ReadDir(root); err != nil || len(entries) > 0 {
			t.Errorf("%v: got %v, %v, want nothing", left, entries, err)
		}
		if err := os.Mkdir(a.Dir(), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Create(func() error {
		if err := a.Create(furnish); !errors.As(err, &taken) {
			t.Errorf("got %v while it is being made, want that it is taken", err)
		}
		return furnish()
	}); err != nil {
		t.Error(err)
	}
}
