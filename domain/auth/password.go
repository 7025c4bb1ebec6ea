package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Hashing are parameters of argon2id.
type Hashing struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

// DefaultHashing is how new passwords are hashed: what RFC 9106 recommends
// where memory is not plentiful, on one core. Other parameters stay readable; a
// password is hashed again when its owner next signs in.
var DefaultHashing = Hashing{MemoryKiB: 32 * 1024, Passes: 3, Lanes: 1}

const (
	saltBytes = 16
	keyBytes  = 32
	maxLength = 256
)

// MinPassword is the fewest characters of a password: what NIST SP 800-63B
// asks of a password that stands alone, and more.
const MinPassword = 10

// hasher bounds how many passwords are hashed at once: each takes 32 MiB.
type hasher struct {
	hashing Hashing
	slots   chan struct{}
}

func newHasher(h Hashing) *hasher {
	if h == (Hashing{}) {
		h = DefaultHashing
	}
	return &hasher{hashing: h, slots: make(chan struct{}, 2)}
}

func (h *hasher) key(ctx context.Context, password string, salt []byte, p Hashing) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, p.Passes, p.MemoryKiB, p.Lanes, keyBytes), nil
}

// hash answers the PHC string of a password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails: it ends the process instead
	key, err := h.key(ctx, password, salt, h.hashing)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.hashing.MemoryKiB, h.hashing.Passes, h.hashing.Lanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// verify tells whether password is the hashed one, and whether the hash should
// be renewed. A missing or unreadable hash takes as long as a wrong password.
func (h *hasher) verify(ctx context.Context, password, stored string) (match, renew bool, err error) {
	p, salt, want, ok := parseHash(stored)
	if !ok {
		p, salt, want = h.hashing, make([]byte, saltBytes), make([]byte, keyBytes)
	}
	got, err := h.key(ctx, password, salt, p)
	if err != nil {
		return false, false, err
	}
	match = subtle.ConstantTimeCompare(got, want) == 1 && ok
	return match, match && p != h.hashing, nil
}

func parseHash(stored string) (p Hashing, salt, key []byte, ok bool) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Passes, &p.Lanes); err != nil {
		return p, nil, nil, false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil || len(salt) < 8 {
		return p, nil, nil, false
	}
	key, err = base64.RawStdEncoding.DecodeString(parts[5])
	sane := p.MemoryKiB >= 8 && p.MemoryKiB <= 1<<20 && p.Passes >= 1 && p.Passes <= 16 && p.Lanes >= 1
	return p, salt, key, err == nil && len(key) == keyBytes && sane
}

// checkPassword answers a sentence about what is wrong with a new password, or
// nothing.
func checkPassword(password, email string) string {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return fmt.Sprintf("Use at least %d characters.", MinPassword)
	case len(password) > maxLength:
		return fmt.Sprintf("Use at most %d bytes.", maxLength)
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return "Use text only."
	}
	lower := strings.ToLower(password)
	name, _, _ := strings.Cut(strings.ToLower(email), "@")
	if name != "" && len(name) >= 4 && strings.Contains(lower, name) {
		return "Leave your e-mail address out of the password."
	}
	if tooCommon(lower) {
		return "This password is among the first that an attacker tries. Choose another one."
	}
	return ""
}

// tooCommon finds passwords built from the usual words: what is left after
// taking digits and punctuation off both ends is one of them, or the whole is a
// run or a repetition.
func tooCommon(lower string) bool {
	core := strings.Trim(lower, "0123456789!@#$%^&*()-_=+.,?;: ")
	if core == "" {
		return !variedDigits(lower)
	}
	for _, word := range commonWords {
		if core == word {
			return true
		}
	}
	distinct := map[rune]bool{}
	for _, r := range lower {
		distinct[r] = true
	}
	if len(distinct) < 5 {
		return true
	}
	for _, run := range []string{"abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "01234567890123456789"} {
		if strings.Contains(run, core) && len(core) >= 4 {
			return true
		}
	}
	return false
}

// variedDigits tells whether a password of digits and punctuation is more than
// a date or a run.
func variedDigits(lower string) bool {
	distinct := map[rune]bool{}
	for _, r := range lower {
		distinct[r] = true
	}
	return len(lower) >= 14 && len(distinct) >= 6
}

var commonWords = []string{
	"password", "passw0rd", "p@ssw0rd", "p@ssword", "passwort", "motdepasse", "contraseña", "qwerty", "qwertyuiop",
	"azerty", "qwertz", "letmein", "welcome", "iloveyou", "admin", "administrator", "changeme", "secret", "dragon",
	"monkey", "football", "baseball", "sunshine", "princess", "master", "superman", "batman", "trustno", "starwars",
	"whatever", "freedom", "computer", "internet", "dataflow", "dashboard", "default", "login", "access", "summer",
	"winter", "spring", "autumn", "january", "february", "september", "november", "december", "london", "newyork",
	"chelsea", "liverpool", "arsenal", "michael", "jennifer", "jessica", "charlie", "abcdef", "abcdefg", "asdfgh",
	"asdfghjkl", "zxcvbnm", "passpass", "passwordpassword", "adminadmin", "testtest", "testing", "guestguest", "hello",
	"helloworld", "mypassword", "newpassword", "temppassword", "temporary", "company", "business",
}
