package main

import (
	"context"
	"os"
	"testing"
)

func TestGen(t *testing.T) {
	text, _ := os.ReadFile("/tmp/gen.sql")
	d, err := openDuck(context.Background())
	if err != nil { t.Fatal(err) }
	if _, err := d.conn.ExecContext(context.Background(), string(text)); err != nil { t.Fatal(err) }
}
