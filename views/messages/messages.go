// Package messages is the catalogue of everything the interface says. The
// texts lie in one folder a language, one file a feature (en/signin.json);
// keys are "<feature>.<what>".
//
// A text without arguments is a plain string. One with arguments is a Go
// template ("Sign in to {{.Workspace}}"); one that depends on a number is an
// object of its plural forms ({"one": "…", "other": "…"}), chosen by the
// argument named Count.
package messages

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed en/*.json
var texts embed.FS

// Source is the language that every text is written in first.
var Source = language.English

// catalogue is read once. plain holds the texts without arguments, by
// language, since most of a page is made of them.
type catalogue struct {
	bundle  *i18n.Bundle
	plain   map[string]map[string]string
	matcher language.Matcher
	tags    []language.Tag
}

var load = sync.OnceValue(func() *catalogue {
	c := &catalogue{bundle: i18n.NewBundle(Source), plain: map[string]map[string]string{}}
	// The files are embedded, so an error is a broken build; the package's
	// tests load every file.
	if err := c.read(texts); err != nil {
		panic("messages: " + err.Error())
	}
	c.tags = c.bundle.LanguageTags()
	c.matcher = language.NewMatcher(c.tags)
	return c
})

func (c *catalogue) read(files fs.FS) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		tag, err := language.Parse(path.Dir(name))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(body, &raw); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for key, value := range raw {
			if err := c.add(tag, key, value); err != nil {
				return fmt.Errorf("%s: %s: %w", name, key, err)
			}
		}
		return nil
	})
}

func (c *catalogue) add(tag language.Tag, key string, value json.RawMessage) error {
	lang := tag.String()
	if c.plain[lang] == nil {
		c.plain[lang] = map[string]string{}
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		if !strings.Contains(text, "{{") {
			c.plain[lang][key] = text
		}
		return c.bundle.AddMessages(tag, &i18n.Message{ID: key, Other: text})
	}
	var forms map[string]string
	if err := json.Unmarshal(value, &forms); err != nil {
		return err
	}
	forms["id"] = key
	message, err := i18n.NewMessage(forms)
	if err != nil {
		return err
	}
	return c.bundle.AddMessages(tag, message)
}

type contextKey struct{}

type chosen struct {
	lang      string
	localizer *i18n.Localizer
}

// WithLanguage gives ctx the language of the person. Wanted are BCP 47 tags in
// the order of preference, an Accept-Language header included; the nearest
// language that has texts is taken.
func WithLanguage(ctx context.Context, wanted ...string) context.Context {
	return context.WithValue(ctx, contextKey{}, choose(wanted))
}

// choices remembers what headers came to. Headers are anybody's, so their number
// and length are bounded.
var choices = sync.OnceValue(func() *lru.Cache[string, chosen] {
	known, _ := lru.New[string, chosen](1000) // a size above zero is never refused
	return known
})

func choose(wanted []string) chosen {
	if len(wanted) != 1 || len(wanted[0]) > 200 {
		return match(wanted)
	}
	known, ok := choices().Get(wanted[0])
	if !ok {
		known = match(wanted)
		choices().Add(strings.Clone(wanted[0]), known)
	}
	return known
}

func match(wanted []string) chosen {
	c := load()
	_, index := language.MatchStrings(c.matcher, wanted...)
	lang := c.tags[index].String()
	return chosen{lang: lang, localizer: i18n.NewLocalizer(c.bundle, lang)}
}

var fallback = sync.OnceValue(func() chosen { return choose(nil) })

// Language is the language that T answers in.
func Language(ctx context.Context) string { return of(ctx).lang }

func of(ctx context.Context) chosen {
	if found, ok := ctx.Value(contextKey{}).(chosen); ok {
		return found
	}
	return fallback()
}

// T is the text of key in the language of ctx. Arguments come in pairs of name
// and value: T(ctx, "home.count", "Count", 3). A key that does not exist shows
// itself; a test finds it.
func T(ctx context.Context, key string, args ...any) string {
	c := of(ctx)
	if len(args) == 0 {
		if text, ok := load().plain[c.lang][key]; ok {
			return text
		}
	}
	config := i18n.LocalizeConfig{MessageID: key}
	if len(args) > 0 {
		data := make(map[string]any, len(args)/2)
		for i := 0; i+1 < len(args); i += 2 {
			name, _ := args[i].(string)
			data[name] = args[i+1]
			if name == "Count" {
				config.PluralCount = args[i+1]
			}
		}
		config.TemplateData = data
	}
	text, err := c.localizer.Localize(&config)
	if err != nil && text == "" {
		return key
	}
	return text
}

// KeysBelow are the ends of the keys that begin with prefix, in order: of texts
// without arguments.
func KeysBelow(prefix string) []string {
	var ends []string
	for key := range load().plain[Source.String()] {
		if end, ok := strings.CutPrefix(key, prefix); ok {
			ends = append(ends, end)
		}
	}
	slices.Sort(ends)
	return ends
}
