package handlers

import (
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/delivery"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/views/messages"
)

// channelPages are the ways out besides mail.
type channelPages struct{ *core }

func (h channelPages) routes(r chi.Router) {
	r.Get(views.PathChannels, handle(h.list))
	r.Post(views.PathChannels, handle(h.create))
	r.Get(views.PathNewChannel, handle(h.form))
	r.Post("/channels/{channel}/{act}", handle(h.act))
}

func (h channelPages) list(w http.ResponseWriter, r *http.Request) error {
	return h.show(w, r, http.StatusOK, views.ChannelsProps{})
}

func (h channelPages) show(w http.ResponseWriter, r *http.Request, status int, props views.ChannelsProps) error {
	a := actor(r)
	if err := access.Can(a, access.ManageWorkspace); err != nil {
		return err
	}
	var err error
	if props.List, err = h.Delivery.ListChannels(r.Context(), a); err != nil {
		return err
	}
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.ChannelsPage(s, props))
}

func (h channelPages) form(w http.ResponseWriter, r *http.Request) error {
	if err := access.Can(actor(r), access.ManageWorkspace); err != nil {
		return err
	}
	return h.ask(w, r, http.StatusOK, views.ChannelFormProps{Kind: delivery.Webhook})
}

func (h channelPages) ask(w http.ResponseWriter, r *http.Request, status int, props views.ChannelFormProps) error {
	s, err := shell(w, r)
	if err != nil {
		return err
	}
	return render(w, r, status, views.ChannelFormPage(s, props))
}

// create answers the key of a webhook in the page itself, once: it must lie in
// no cookie and no address.
func (h channelPages) create(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	get := r.PostFormValue
	props := views.ChannelFormProps{Kind: delivery.ChannelKind(get("kind")), Name: get("name"), Target: delivery.Target{URL: get("url"), Key: get("key"), Endpoint: get("endpoint"),
		Region: get("region"), Bucket: get("bucket"), AccessKey: get("access_key"), SecretKey: get("secret_key"), Host: get("host"), User: get("user"), Password: get("password"),
		PrivateKey: get("private_key"), HostKey: get("host_key"), Folder: get("folder")}}
	_, key, err := h.Delivery.CreateChannel(r.Context(), actor(r), props.Kind, props.Name, props.Target)
	if fields, invalid := apperr.Fields(err); invalid {
		props.Errors = fields
		return h.ask(w, r, http.StatusUnprocessableEntity, props)
	}
	if err != nil {
		return err
	}
	if key != "" {
		w.Header().Set("Cache-Control", "no-store")
		return h.show(w, r, http.StatusOK, views.ChannelsProps{Key: key, KeyName: props.Name})
	}
	return flashAndGo(w, r, "channels.saved", views.PathChannels)
}

func (h channelPages) act(w http.ResponseWriter, r *http.Request) error {
	id, err := ids.Parse[ids.Channel](chi.URLParam(r, "channel"))
	if err != nil {
		return delivery.ErrChannelNotFound.Wrap(err)
	}
	a, ctx := actor(r), r.Context()
	switch chi.URLParam(r, "act") {
	case "test":
		answer, err := h.Delivery.TestChannel(ctx, a, id, messages.T(ctx, "channels.test_title"), messages.T(ctx, "channels.test_text"), h.BaseURL)
		// What the other side said is about the channel, not about who asks.
		if public := apperr.Describe(err); err != nil && public.Class != apperr.Internal && !errors.Is(err, access.ErrForbidden) && !errors.Is(err, delivery.ErrChannelNotFound) {
			return h.show(w, r, public.Class.Status(), views.ChannelsProps{Error: public.Sentence, Code: public.Code})
		}
		if err != nil {
			return err
		}
		name := ""
		list, err := h.Delivery.ListChannels(ctx, a)
		if err != nil {
			return err
		}
		for _, c := range list {
			if c.ID == id {
				name = c.Name
			}
		}
		return flashAndGo(w, r, "channels.tested", views.PathChannels, "Name", name, "Answer", answer)
	case "delete":
		if err := h.Delivery.DeleteChannel(ctx, a, id); err != nil {
			return err
		}
		return flashAndGo(w, r, "channels.deleted", views.PathChannels)
	}
	return errNoPage
}
