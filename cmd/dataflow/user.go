package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/auth"
	"github.com/dataflowhq/dataflow/domain/tenants"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/secrets"
)

const userAbout = `Makes people who can sign in, and prints what it did as JSON.

create adds a person to a workspace. With --password-stdin the password is the
first line of the input; otherwise “link” is a one-use link to choose one. A
person who belongs to another workspace already keeps their password, and their
name unless --name gives one.

reset-link prints a one-use link to choose a new password. Nothing changes until
it is used.`

// madeUser is what "dataflow user" prints.
type madeUser struct {
	UserID    string     `json:"user_id,omitempty"`
	Email     string     `json:"email"`
	Role      string     `json:"role,omitempty"`
	Tenant    string     `json:"tenant,omitempty"`
	Link      string     `json:"link,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

func runUser(ctx context.Context, e *env) (err error) {
	set := e.flags("user", "create EMAIL [--name NAME] [--role ROLE] [--tenant SLUG] [--password-stdin] | reset-link EMAIL", userAbout)
	name := set.String("name", "", "`name` of the person")
	role := set.String("role", string(access.Viewer), "`role`: owner, admin, editor or viewer")
	tenant := set.String("tenant", "", "`slug` of the workspace (default: the only one)")
	fromInput := set.Bool("password-stdin", false, "read the password from the input")
	args, err := e.parse(set)
	if err != nil {
		return err
	}
	if len(args) != 2 || args[0] != "create" && args[0] != "reset-link" {
		return errUsage.With("“dataflow user” takes create EMAIL or reset-link EMAIL. Run “dataflow user -h” for help.")
	}
	n := auth.NewUser{Email: args[1], Name: *name, Role: access.Role(*role)}
	if *fromInput {
		if n.Password, err = firstLine(e.stdin); err != nil {
			return err
		}
		if n.Password == "" {
			return errUsage.With("The input has no password in its first line.")
		}
	}
	cfg, log, err := e.configWith()
	if err != nil {
		return err
	}
	a, err := openApp(ctx, cfg, log, roleAll, e.say)
	defer func() { err = errors.Join(err, a.close(closeTimeout)) }()
	if err != nil {
		return err
	}
	a.baseURL = shellBaseURL(cfg)
	people, err := a.openAccounts()
	if err != nil {
		return err
	}
	made := madeUser{Email: n.Email}
	if args[0] == "create" {
		if made, err = createUser(ctx, people, n, *tenant); err != nil {
			return withFields(err)
		}
	}
	if n.Password == "" {
		link, until, err := people.auth.ResetLink(ctx, n.Email)
		if err != nil {
			return err
		}
		made.Link, made.ExpiresAt = link, &until
	}
	return json.NewEncoder(e.stdout).Encode(made)
}

func createUser(ctx context.Context, people *services, n auth.NewUser, slug string) (madeUser, error) {
	actor, err := people.tenants.ForConsole(ctx, slug)
	if err != nil {
		return madeUser{}, err
	}
	n.TenantID = actor.TenantID
	id, err := people.auth.CreateUser(ctx, n)
	if err != nil {
		return madeUser{}, err
	}
	settings, err := people.tenants.GetSettings(ctx, actor)
	if err != nil {
		return madeUser{}, err
	}
	return madeUser{UserID: id.String(), Email: n.Email, Role: string(n.Role), Tenant: settings.Slug}, nil
}

// openAccounts wires what concerns people alone: no data, no query engine.
func (a *app) openAccounts() (*services, error) {
	master, err := secrets.NewMaster([]byte(a.keys.Master.Reveal()))
	if err != nil {
		return nil, err
	}
	s := &services{tenants: tenants.NewService(tenants.Deps{DB: a.db, Master: master})}
	return s, a.openPeople(s)
}

// withFields says in one sentence which fields are wrong: a shell shows no form.
func withFields(err error) error {
	fields, invalid := apperr.Fields(err)
	if !invalid {
		return err
	}
	var all []string
	for _, name := range []string{"email", "name", "role", "password"} {
		if sentence := fields[name]; sentence != "" {
			all = append(all, name+": "+sentence)
		}
	}
	return auth.ErrInvalid.With("%s", strings.Join(all, " "))
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
