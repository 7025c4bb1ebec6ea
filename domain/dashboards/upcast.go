package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// upcasters[n] rewrites a config of schema n into one of schema n+1. A config
// is brought up to date when it is read and stored in the current form with
// the next change, so that a rolled-back program still reads what nobody
// touched. Schema 1 is the first; schema 2 only adds keys.
var upcasters = map[int]func(doc map[string]any) error{
	1: func(map[string]any) error { return nil },
}

// operationUpcasters[n] rewrites an operation on a config of schema n into one
// on schema n+1, so that what was done before an upgrade can be undone after it.
var operationUpcasters = map[int]func(Operation) (Operation, error){
	1: func(o Operation) (Operation, error) { return o, nil },
}

// upcastOperation brings an entry of the log to the current schema.
func upcastOperation(o Operation, schema int, steps map[int]func(Operation) (Operation, error)) (Operation, error) {
	for ; steps[schema] != nil; schema++ {
		var err error
		if o, err = steps[schema](o); err != nil {
			return o, fmt.Errorf("upcast operation %s of schema %d: %w", o.ID, schema, err)
		}
	}
	return o, nil
}

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
