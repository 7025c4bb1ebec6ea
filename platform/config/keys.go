package config

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// KeySize is the length of the master key and of keys derived from it, in bytes.
const KeySize = 32

var (
	// ErrMasterKeyMissing means that secrets could not be kept.
	ErrMasterKeyMissing = apperr.Define(apperr.Invalid, "config.master_key_missing",
		"Set DATAFLOW_MASTER_KEY or DATAFLOW_MASTER_KEY_FILE to 32 random bytes in base64. Make one with: openssl rand -base64 32")
	// ErrMasterKeyWeak also covers keys that were copied from an example.
	ErrMasterKeyWeak = apperr.Define(apperr.Invalid, "config.master_key_weak",
		"The master key can be guessed. It must be 32 random bytes in base64. Make one with: openssl rand -base64 32")
	// ErrMasterKeyLost protects existing data from being re-keyed by accident.
	ErrMasterKeyLost = apperr.Define(apperr.Invalid, "config.master_key_lost",
		"The data directory has a database, but its master key file is gone. Without it the stored passwords and connections can't be read. Restore the file, or set DATAFLOW_MASTER_KEY.")
	// ErrKeyFile also covers files that others may read.
	ErrKeyFile = apperr.Define(apperr.Invalid, "config.key_file", "A key file can't be used.")
)

// Keys are the secrets that the process itself needs.
type Keys struct {
	// Master wraps the keyset of every workspace. 32 bytes.
	Master Secret
	// Session signs session cookies. 32 bytes.
	Session Secret
}

// Derive gives a key of its own for one purpose. Keys of different purposes
// say nothing about each other.
func (k Keys) Derive(purpose string) Secret {
	key, err := hkdf.Key(sha256.New, []byte(k.Master.Reveal()), nil, "dataflow "+purpose, KeySize)
	if err != nil {
		panic(err) // only for a length that HKDF can't give
	}
	return Secret(key)
}

// LoadKeys reads the keys, and refuses missing and weak ones. Where the
// database is embedded and none was given it makes a key file (0600) in the
// data directory, unless initialized says that a database lies there already.
//
// Errors: config.master_key_missing, config.master_key_weak,
// config.master_key_lost, config.key_file.
func (c *Config) LoadKeys(initialized bool) (Keys, error) {
	master, err := c.masterKey(initialized)
	if err != nil {
		return Keys{}, err
	}
	keys := Keys{Master: master}
	text, err := secretText(c.SessionKey, c.SessionKeyFile, "DATAFLOW_SESSION_KEY")
	if err != nil {
		return Keys{}, err
	}
	if text == "" {
		keys.Session = keys.Derive("session cookie v1")
		return keys, nil
	}
	if keys.Session, err = parseKey(text); err != nil {
		return Keys{}, ErrInvalid.With("DATAFLOW_SESSION_KEY must be 32 random bytes in base64. Make them with: openssl rand -base64 32")
	}
	return keys, nil
}

func (c *Config) masterKey(initialized bool) (Secret, error) {
	text, err := secretText(c.MasterKey, c.MasterKeyFile, "DATAFLOW_MASTER_KEY")
	if err != nil {
		return "", err
	}
	if text == "" {
		if !c.EmbeddedDatabase() {
			return "", ErrMasterKeyMissing
		}
		path := filepath.Join(c.DataDir, "keys", "master.key")
		text, err = readKeyFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			if initialized {
				return "", ErrMasterKeyLost.With("%s is gone, but %s has a database that was made with it. Restore the file, or set DATAFLOW_MASTER_KEY.", path, c.DataDir)
			}
			text, err = makeKeyFile(path)
		}
		if err != nil {
			return "", err
		}
	}
	return parseKey(text)
}

func secretText(value Secret, file, name string) (string, error) {
	if value != "" && file != "" {
		return "", ErrInvalid.With("Set %s or %s_FILE, not both.", name, name)
	}
	if file == "" {
		return value.Reveal(), nil
	}
	text, err := readKeyFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrKeyFile.With("%s does not exist.", file).Wrap(err)
	}
	return text, err
}

// readKeyFile answers the text of the file, or an error that is fs.ErrNotExist.
func readKeyFile(path string) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err != nil {
		return "", ErrKeyFile.With("%s can't be read.", path).Wrap(err)
	}
	// Group read is what Kubernetes gives a mounted secret with fsGroup.
	if info.Mode().Perm()&0o037 != 0 {
		return "", ErrKeyFile.With("Other users can read %s. Run: chmod 600 %s", path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", ErrKeyFile.With("%s can't be read.", path).Wrap(err)
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", ErrKeyFile.With("%s is empty.", path)
	}
	return string(text), nil
}

// makeKeyFile writes a new random key so that two processes starting at once
// agree on one, and so that a crash leaves a whole file or none.
func makeKeyFile(path string) (string, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make key directory: %w", err)
	}
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails: it ends the process instead
	text := base64.StdEncoding.EncodeToString(key) + "\n"
	temp, err := os.CreateTemp(dir, ".master-*") // 0600
	if err != nil {
		return "", fmt.Errorf("make key file: %w", err)
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.WriteString(text)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return "", fmt.Errorf("write key file: %w", err)
	}
	err = os.Link(temp.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return readKeyFile(path)
	}
	if err != nil {
		return "", fmt.Errorf("publish key file: %w", err)
	}
	handle, err := os.Open(dir)
	if err != nil {
		return "", fmt.Errorf("open key directory: %w", err)
	}
	defer func() { _ = handle.Close() }()
	if err := handle.Sync(); err != nil {
		return "", fmt.Errorf("sync key directory: %w", err)
	}
	return text, nil
}

// parseKey reads 32 bytes in base64 or hex and refuses what nobody would draw
// by chance.
func parseKey(text string) (Secret, error) {
	text = strings.TrimSpace(text)
	key, err := hex.DecodeString(text)
	if err != nil {
		plain := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "=")
		key, err = base64.RawStdEncoding.DecodeString(plain)
	}
	if err != nil || len(key) != KeySize {
		return "", ErrMasterKeyWeak.With("The master key must be exactly 32 random bytes in base64 or hex. Make one with: openssl rand -base64 32")
	}
	if weak(key) {
		return "", ErrMasterKeyWeak
	}
	return Secret(key), nil
}

// weak finds keys that were typed and not drawn. Of 32 random bytes, fewer
// than 20 differ in less than one of 10^7 draws, and none is ever plain text
// or a run.
func weak(key []byte) bool {
	var seen [256]bool
	distinct, printable, steps := 0, true, 0
	for i, b := range key {
		if !seen[b] {
			seen[b] = true
			distinct++
		}
		printable = printable && b >= 0x20 && b < 0x7f
		if i > 0 && b-key[i-1] == key[1]-key[0] {
			steps++
		}
	}
	return distinct < 20 || printable || steps > KeySize/2
}
