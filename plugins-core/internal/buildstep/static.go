package buildstep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"os/signal"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// serveStatic serves the files of a directory at PORT until it is told to end: static [DIRECTORY].
func serveStatic(args []string) error {
	dir := "."
	switch {
	case len(args) > 1:
		return usageError("cannot serve several directories: give one")
	case len(args) == 1:
		dir = args[0]
	}
	port, err := strconv.ParseUint(os.Getenv("PORT"), 10, 16)
	if err != nil {
		return fmt.Errorf("cannot serve %q: PORT=%q is no port", dir, os.Getenv("PORT"))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("cannot serve %q: %w", dir, err)
	}
	defer root.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	server := &http.Server{Addr: ":" + strconv.FormatUint(port, 10), Handler: StaticHandler(root.FS()),
		ReadHeaderTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
	done := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		done <- server.Shutdown(grace) // what has begun is answered
	})
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve %q: %w", dir, err)
	}
	return <-done
}

// StaticHandler serves the files of a tree: an index.html for a directory, 404.html for what is not there. Files and
// directories whose names begin with a dot are not there, but for .well-known; directories are not listed.
func StaticHandler(tree fs.FS) http.Handler {
	addTypes()
	files := http.FileServerFS(tree)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if name, ok := staticFile(tree, r.URL.Path); ok {
			w.Header().Set("Cache-Control", "no-cache") // ask again whether it has changed
			if kind := mime.TypeByExtension(path.Ext(name)); kind == "" {
				w.Header().Set("Content-Type", "application/octet-stream")
			}
			files.ServeHTTP(w, r)
			return
		}
		notFound(tree, w, r)
	})
}

// staticFile is the file that answers a request for the path, if there is one to be shown.
func staticFile(tree fs.FS, urlPath string) (string, bool) {
	name := strings.Trim(path.Clean("/"+urlPath), "/")
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != ".well-known" {
			return "", false
		}
	}
	if name == "" {
		name = "."
	}
	st, err := fs.Stat(tree, name)
	if err == nil && st.IsDir() {
		name = path.Join(name, "index.html")
		st, err = fs.Stat(tree, name)
	}
	return name, err == nil && st.Mode().IsRegular()
}

func notFound(tree fs.FS, w http.ResponseWriter, r *http.Request) {
	f, err := tree.Open("404.html")
	if err != nil {
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	if r.Method == http.MethodGet {
		_, _ = io.Copy(w, f) // whoever asked may have gone
	}
}

// addTypes makes known which types files have that Go knows nothing of and for which the stack has no list.
func addTypes() {
	for ext, kind := range map[string]string{
		".txt": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8", ".csv": "text/csv; charset=utf-8",
		".ico": "image/vnd.microsoft.icon", ".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf",
		".webmanifest": "application/manifest+json", ".map": "application/json", ".mp3": "audio/mpeg", ".ogg": "audio/ogg",
		".mp4": "video/mp4", ".webm": "video/webm", ".zip": "application/zip", ".gz": "application/gzip", ".tar": "application/x-tar",
		".atom": "application/atom+xml", ".rss": "application/rss+xml", ".yaml": "application/yaml", ".yml": "application/yaml",
	} {
		_ = mime.AddExtensionType(ext, kind) // our own list is in order
	}
}
