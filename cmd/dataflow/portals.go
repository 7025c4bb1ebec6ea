package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/portals"
	"github.com/dataflowhq/dataflow/platform/hosts"
)

// hostProofs tells by the DNS which names belong to which workspace.
type hostProofs struct {
	secret   []byte
	resolver hosts.Resolver
	own      string // of the installation: no portal gets it, nor names below it
}

var _ portals.Prover = hostProofs{}

func (p hostProofs) Normalise(host string) (string, error) {
	name, err := hosts.Normalise(host)
	if err == nil && p.own != "" && (name == p.own || strings.HasSuffix(name, "."+p.own)) {
		return "", portals.ErrHostTaken
	}
	return name, err
}

func (p hostProofs) Record(tenant ids.Tenant, host string) (name, value string) {
	record := hosts.Challenge(p.secret, tenant.UUID(), host)
	return record.Name, record.Value
}

// Verify takes names below .localhost for everybody's own: they lead to the
// machine of who opens them and nowhere else.
func (p hostProofs) Verify(ctx context.Context, tenant ids.Tenant, host string) error {
	if strings.HasSuffix(host, ".localhost") {
		return nil
	}
	return hosts.Verify(ctx, p.resolver, host, hosts.Challenge(p.secret, tenant.UUID(), host).Value)
}

// Check is Verify for a host in use.
func (p hostProofs) Check(ctx context.Context, tenant ids.Tenant, host string, before hosts.Health, now time.Time) (hosts.Health, error) {
	if strings.HasSuffix(host, ".localhost") {
		return hosts.Health{}, nil
	}
	return hosts.Check(ctx, p.resolver, host, hosts.Challenge(p.secret, tenant.UUID(), host).Value, before, now)
}

// allowHost tells which hosts are served by https: that of the installation and
// those of portals.
func (a *app) allowHost(s *services) func(context.Context, string) error {
	return func(ctx context.Context, host string) error {
		if own := a.ownHost(); own != "" && own == host {
			return nil
		}
		_, err := s.portals.ByHost(ctx, host)
		if errors.Is(err, portals.ErrNotFound) {
			return hosts.ErrUnknown
		}
		return err
	}
}
