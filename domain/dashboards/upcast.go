package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// upcasters[n] rewrites a config of schema n into one of schema n+1. A config
// is brought up to date when it is read and stored in the current form with
// the next change, so that a rolled-back program still reads what nobody
// touched. Schema 1 is the first.
var upcasters = map[int]func(doc map[string]any) error{}

// upcast brings a config of any earlier schema to the current one; current
// configs are returned as they are.
func upcast(data []byte, steps map[int]func(map[string]any) error) ([]byte, error) {
	var head struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, ErrConfig.With("The dashboard's config can't be read: %s.", jsonProblem(err)).Wrap(err)
	}
	if head.Schema == nil {
		return nil, ErrConfig.With("The config does not say its schema.")
	}
	current := Schema
	for from := range steps {
		current = max(current, from+1)
	}
	version := *head.Schema
	switch {
	case version == current:
		return data, nil
	case version > current:
		return nil, ErrConfigTooNew
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // numbers keep their digits
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return nil, ErrConfig.Wrap(err)
	}
	for ; version < current; version++ {
		step, ok := steps[version]
		if !ok {
			return nil, ErrConfig.With("There is no way from schema %d of the config to %d.", version, current)
		}
		if err := step(doc); err != nil {
			return nil, ErrConfig.Wrap(fmt.Errorf("upcast schema %d: %w", version, err))
		}
		doc["schema"] = version + 1
	}
	return json.Marshal(doc)
}
