package views

import (
	"github.com/dataflowhq/dataflow/views/ui"
)

// PathAPI begins the addresses that programs ask.
const PathAPI = "/api/v1"

// PathAPIKeys is the page of the keys with which programs do.
const PathAPIKeys = PathSettings + "/api-keys"

// PathAPIKeyRules says what limits what a key sees; ?dashboard=ID asks for one.
func PathAPIKeyRules(key string) string { return PathAPIKeys + "/" + key + "/rules" }

// APIKeyRow is one key in the list.
type APIKeyRow struct {
	ID, Name, By        string
	Role                string // in words; empty for one that was revoked
	Attributes          []string
	State               GrantState
	Sight               *Sight // what it sees; nil for one that is revoked or beyond who looks
	CanRevoke           bool
	Created, Used, Ends When
}

// APIKeyForm is what the form for a new key held.
type APIKeyForm struct{ Name, Role, Attributes, Days string }

// APIKeysProps is the page at PathAPIKeys.
type APIKeysProps struct {
	Keys    []APIKeyRow
	Gone    int // revoked keys that are shown, where there may be more
	Roles   []ui.Option
	Ends    []ui.Option
	Site    string // address of this site
	NewKey  string // shown once
	Form    APIKeyForm
	Errors  map[string]string
	WithSSO bool // keys work while single sign-on is required
	CanRule bool // may change that
}

// snippet is how a program asks.
func (p APIKeysProps) snippet() string {
	return `curl ` + p.Site + PathAPI + `/query \
  -H "Authorization: Bearer $API_KEY" \
  -d '{"dataset": "DATASET",
       "measures": [{"fn": "count", "as": "rows"}]}'`
}
