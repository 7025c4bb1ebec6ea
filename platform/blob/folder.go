package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"

	"github.com/dataflowhq/dataflow/platform/apperr"
)

// ErrFolder is a bucket of somebody else's that does not take what it is given.
var ErrFolder = apperr.Define(apperr.Invalid, "storage.folder", "The bucket does not take the file. Check its name, region and keys.")

// Folder is a place in a bucket that is not ours: a customer's own.
type Folder struct {
	Endpoint             string // "https://s3.example.com"; empty for AWS
	Region               string
	Bucket, Prefix       string
	AccessKey, SecretKey string
	HTTP                 *http.Client // how it is reached
}

// Put writes a file, whole or not at all; one of the same name is replaced.
//
// Errors: storage.folder, storage.unavailable.
func (f Folder) Put(ctx context.Context, name, mediaType string, r io.Reader) error {
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: f.AccessKey, SecretAccessKey: f.SecretKey}, nil
	})
	client := s3.New(s3.Options{Region: f.Region, Credentials: credentials, HTTPClient: f.HTTP, RetryMaxAttempts: 2,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired}, func(o *s3.Options) {
		if f.Endpoint != "" {
			o.BaseEndpoint, o.UsePathStyle = aws.String(f.Endpoint), true
		}
	})
	bucket, err := s3blob.OpenBucket(ctx, client, f.Bucket, nil)
	if err != nil {
		return ErrFolder.Wrap(err)
	}
	defer func() { _ = bucket.Close() }()
	key := name
	if prefix := strings.Trim(f.Prefix, "/"); prefix != "" {
		key = prefix + "/" + name
	}
	// A writer whose context has ended by Close leaves nothing behind.
	writing, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := bucket.NewWriter(writing, key, &blob.WriterOptions{ContentType: mediaType, DisableContentTypeDetection: true})
	if err != nil {
		return folderError(err)
	}
	if _, err := io.Copy(w, r); err != nil {
		cancel()
		_ = w.Close() // it says that it was ended
		return folderError(err)
	}
	return folderError(w.Close())
}

func folderError(err error) error {
	switch gcerrors.Code(err) {
	case gcerrors.OK:
		return nil
	case gcerrors.NotFound, gcerrors.PermissionDenied, gcerrors.InvalidArgument, gcerrors.FailedPrecondition:
		return ErrFolder.Wrap(err)
	}
	var kind *apperr.Kind
	if errors.As(err, &kind) {
		return err
	}
	return ErrUnavailable.With("The bucket does not answer.").Wrap(fmt.Errorf("write to bucket: %w", err))
}
