package plug

import (
	"os"

	"github.com/dokku-go/dokku/plugins-core/internal/record"
)

// WriteFile makes path have that text and mode and tells whether it had to change anything.
func WriteFile(path, text string, mode os.FileMode) (changed bool, err error) {
	data, err := os.ReadFile(path)
	if err == nil && string(data) == text {
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm() == mode {
			return false, err
		}
		return true, os.Chmod(path, mode)
	}
	return true, record.Write(path, []byte(text), mode)
}
