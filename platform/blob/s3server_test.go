package blob

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// s3Server speaks as much of the S3 protocol as the store needs, over HTTP on
// the loopback: so the real driver is used, with its signing, chunks and XML.
type s3Server struct {
	*httptest.Server
	down atomic.Bool

	mu      sync.Mutex
	objects map[string][]byte
	reads   map[string]int
	uploads map[string]map[int][]byte
}

func newS3Server(t *testing.T) *s3Server {
	t.Helper()
	s := &s3Server{objects: map[string][]byte{}, reads: map[string]int{}, uploads: map[string]map[int][]byte{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *s3Server) open(t *testing.T) *Store {
	t.Helper()
	return s.openWith(t, 1<<20)
}

func (s *s3Server) openWith(t *testing.T, cacheBytes int64) *Store {
	t.Helper()
	store, err := Open(t.Context(), Options{
		URL:      "s3://bucket?region=us-east-1&use_path_style=true&response_checksum_validation=when_required&endpoint=" + s.URL,
		CacheDir: t.TempDir(), CacheBytes: cacheBytes,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, store) })
	return store
}

func openS3(t *testing.T) *Store {
	t.Helper()
	return newS3Server(t).open(t)
}

func (s *s3Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.down.Load() {
		w.WriteHeader(http.StatusForbidden) // no retries, unlike 503
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if bucket != "bucket" {
		refuse(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	query := r.URL.Query()
	switch {
	case key == "" && r.Method == http.MethodGet:
		s.list(w, query.Get("prefix"))
	case key == "" && r.Method == http.MethodHead:
	case r.Method == http.MethodPut && query.Has("partNumber"):
		number, _ := strconv.Atoi(query.Get("partNumber"))
		body := payload(r)
		s.uploads[query.Get("uploadId")][number] = body
		w.Header().Set("ETag", etag(body))
	case r.Method == http.MethodPut:
		s.put(w, r, key, payload(r))
	case r.Method == http.MethodPost && query.Has("uploads"):
		id := strconv.Itoa(len(s.uploads) + 1)
		s.uploads[id] = map[int][]byte{}
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case r.Method == http.MethodPost && query.Has("uploadId"):
		parts := s.uploads[query.Get("uploadId")]
		numbers := make([]int, 0, len(parts))
		for number := range parts {
			numbers = append(numbers, number)
		}
		sort.Ints(numbers)
		var whole []byte
		for _, number := range numbers {
			whole = append(whole, parts[number]...)
		}
		s.put(w, r, key, whole)
		fmt.Fprint(w, "<CompleteMultipartUploadResult/>")
	case r.Method == http.MethodDelete && query.Has("uploadId"):
		delete(s.uploads, query.Get("uploadId"))
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		object, ok := s.objects[key]
		if !ok {
			refuse(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		if r.Method == http.MethodGet {
			s.reads[key]++
		}
		w.Header().Set("ETag", etag(object))
		http.ServeContent(w, r, "", time.Now(), bytes.NewReader(object))
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func (s *s3Server) put(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	if _, taken := s.objects[key]; taken && r.Header.Get("If-None-Match") == "*" {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	s.objects[key] = body
	w.Header().Set("ETag", etag(body))
}

func (s *s3Server) list(w http.ResponseWriter, prefix string) {
	type object struct {
		Key, ETag, LastModified string
		Size                    int
	}
	answer := struct {
		XMLName  xml.Name `xml:"ListBucketResult"`
		Contents []object
	}{}
	for key, body := range s.objects {
		if strings.HasPrefix(key, prefix) {
			answer.Contents = append(answer.Contents, object{key, etag(body), time.Now().UTC().Format(time.RFC3339), len(body)})
		}
	}
	sort.Slice(answer.Contents, func(i, j int) bool { return answer.Contents[i].Key < answer.Contents[j].Key })
	if err := xml.NewEncoder(w).Encode(answer); err != nil {
		panic(err) // of a test server, over loopback
	}
}

func (s *s3Server) readsOf(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads[key]
}

// payload reads a body, taking the chunked form apart in which the driver sends
// checksums.
func payload(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil || !strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
		return body
	}
	var whole []byte
	in := bufio.NewReader(bytes.NewReader(body))
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return whole
		}
		text, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		size, err := strconv.ParseInt(text, 16, 64)
		if err != nil || size == 0 {
			return whole
		}
		chunk := make([]byte, size)
		if _, err := io.ReadFull(in, chunk); err != nil {
			return whole
		}
		whole = append(whole, chunk...)
		if _, err := in.Discard(2); err != nil {
			return whole
		}
	}
}

func etag(body []byte) string {
	sum := md5.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}
