package delivery

import (
	"context"
	"errors"
	"io"
	"net"
	"path"
	"strings"

	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/platform/blob"
	"github.com/dataflowhq/dataflow/platform/sftp"
)

// checkFolder cleans the target of a channel that takes files.
func (s *Service) checkFolder(kind ChannelKind, t Target, clean *Target, fields map[string]string) (shown string) {
	clean.Folder = strings.Trim(strings.TrimSpace(t.Folder), "/")
	if strings.Contains("/"+clean.Folder+"/", "/../") {
		fields["folder"] = "Write a folder without “..”."
	}
	if kind == S3 {
		clean.Endpoint, clean.Region, clean.Bucket = strings.TrimSpace(t.Endpoint), strings.TrimSpace(t.Region), strings.TrimSpace(t.Bucket)
		clean.AccessKey, clean.SecretKey = strings.TrimSpace(t.AccessKey), strings.TrimSpace(t.SecretKey)
		if clean.Endpoint != "" {
			if _, err := s.deps.Outbound.CheckURL(clean.Endpoint); err != nil {
				fields["endpoint"] = apperr.Describe(err).Sentence
			}
		}
		if clean.Region == "" {
			clean.Region = "us-east-1"
		}
		if clean.Bucket == "" || strings.ContainsAny(clean.Bucket, "/?# ") {
			fields["bucket"] = "Write the name of a bucket."
		}
		if clean.AccessKey == "" || clean.SecretKey == "" {
			fields["access_key"] = "Write the key and its secret."
		}
		return strings.TrimSuffix("s3://"+clean.Bucket+"/"+clean.Folder, "/")
	}
	clean.Host, clean.User = strings.TrimSpace(t.Host), strings.TrimSpace(t.User)
	if strings.HasPrefix(strings.TrimSpace(t.Folder), "/") {
		clean.Folder = "/" + clean.Folder
	}
	clean.Password, clean.PrivateKey, clean.HostKey = t.Password, strings.TrimSpace(t.PrivateKey), strings.TrimSpace(t.HostKey)
	if clean.PrivateKey != "" {
		clean.PrivateKey += "\n"
	}
	if _, _, err := net.SplitHostPort(clean.Host); err != nil && clean.Host != "" {
		clean.Host = net.JoinHostPort(strings.Trim(clean.Host, "[]"), "22")
	}
	if err := s.sftp(*clean).Check(); err != nil {
		field := "host"
		switch {
		case errors.Is(err, sftp.ErrKeyText):
			field = "host_key"
		case errors.Is(err, sftp.ErrPrivate):
			field = "private_key"
		case errors.Is(err, sftp.ErrNoSecret):
			field = "password"
		}
		fields[field] = apperr.Describe(err).Sentence
	}
	return clean.User + "@" + strings.TrimSuffix(clean.Host, ":22") + path.Join("/", clean.Folder)
}

func (s *Service) sftp(t Target) sftp.Config {
	return sftp.Config{Address: t.Host, User: t.User, Password: t.Password, PrivateKey: t.PrivateKey, HostKey: t.HostKey, Folder: t.Folder, Dial: s.deps.Outbound.Dial}
}

// PutFile writes a file into a channel that is a folder, and answers where it
// lies. A file of the same name is replaced, so that another attempt does no harm.
//
// Errors: delivery.channel_not_found, delivery.channel_kind, those of packages
// blob and sftp.
func (s *Service) PutFile(ctx context.Context, tenant ids.Tenant, id ids.Channel, name, mediaType string, r io.Reader) (answer string, err error) {
	kind, t, err := s.target(ctx, tenant, id)
	if err != nil {
		return "", err
	}
	return s.put(ctx, kind, t, name, mediaType, r)
}

func (s *Service) put(ctx context.Context, kind ChannelKind, t Target, name, mediaType string, r io.Reader) (answer string, err error) {
	name = strings.Map(func(c rune) rune {
		if c == '/' || c == '\\' || c < ' ' {
			return '-'
		}
		return c
	}, name)
	switch kind {
	case S3:
		folder := blob.Folder{Endpoint: t.Endpoint, Region: t.Region, Bucket: t.Bucket, Prefix: t.Folder, AccessKey: t.AccessKey, SecretKey: t.SecretKey, HTTP: s.deps.Outbound.HTTP()}
		return strings.TrimSuffix("s3://"+t.Bucket+"/"+t.Folder, "/") + "/" + name, folder.Put(ctx, name, mediaType, r)
	case SFTP:
		return path.Join(t.Folder, name), s.sftp(t).Put(ctx, name, r)
	}
	return "", errChannelKind
}
