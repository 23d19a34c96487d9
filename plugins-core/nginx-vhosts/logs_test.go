package nginxvhosts

import "testing"

// TestCheckLog lets nothing into nginx' files that is more than a path or a name.
func TestCheckLog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, value string
		good       bool
	}{
		{accessLog, "", true}, {accessLog, "off", true}, {accessLog, "/var/log/nginx/a-b_1.log", true}, {errorLog, "syslog:server=[::1]:514,tag=x", true},
		{accessFormat, "json_1", true}, {accessFormat, "a b", false}, {accessFormat, "x;", false}, {accessLog, "relative.log", false}, {accessLog, "syslog:", false},
		{accessLog, "/a b", false}, {accessLog, "/a;", false}, {accessLog, "/a{", false}, {accessLog, "/$host", false}, {errorLog, "/a\n", false}, {errorLog, "stderr", false},
	} {
		if err := checkLog(c.key, c.value); (err == nil) != c.good {
			t.Errorf("%s %q: got %v, want good: %v", c.key, c.value, err, c.good)
		}
	}
}
