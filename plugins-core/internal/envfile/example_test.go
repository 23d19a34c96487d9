package envfile_test

import (
	"fmt"

	"github.com/dokku-go/dokku/plugins-core/internal/envfile"
)

func ExampleFormat() {
	fmt.Print(envfile.Format(envfile.Vars{"GREETING": "it's $5", "LINES": "one\ntwo"}))
	// Output:
	// export GREETING='it'\''s $5'
	// export LINES='one
	// two'
}

func ExampleParse() {
	vars, err := envfile.Parse("# by hand\nexport A=1 B='x y' # don't mind\n")
	fmt.Println(vars.List(), err)
	// Output: [A=1 B=x y] <nil>
}
