package authkeys

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// normalFingerprint returns the one spelling of a fingerprint: SHA256:base64 without padding, or lower-case pairs
// without a prefix. It returns "" for what is neither.
func normalFingerprint(fp string) string {
	fp = strings.TrimSpace(fp)
	if b64, ok := cutPrefixFold(fp, "SHA256:"); ok {
		return "SHA256:" + strings.TrimRight(b64, "=")
	}
	fp, _ = cutPrefixFold(fp, "MD5:")
	if len(fp) == 47 && strings.Count(fp, ":") == 15 {
		return strings.ToLower(fp)
	}
	return ""
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// hashes reports whether the key in wire format has the fingerprint fp in its normal form.
func hashes(raw []byte, fp string) bool {
	if strings.HasPrefix(fp, "SHA256:") {
		sum := sha256.Sum256(raw)
		return fp == "SHA256:"+base64.RawStdEncoding.EncodeToString(sum[:])
	}
	sum := md5.Sum(raw)
	return strings.ReplaceAll(fp, ":", "") == hex.EncodeToString(sum[:])
}

// isKeyType reports whether s is the name of a public key algorithm rather than an option.
func isKeyType(s string) bool {
	return strings.HasPrefix(s, "ssh-") || strings.HasPrefix(s, "ecdsa-sha2-") || strings.HasPrefix(s, "sk-")
}
