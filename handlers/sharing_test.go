package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/domain/datasets"
	"github.com/dataflowhq/dataflow/domain/ids"
	"github.com/dataflowhq/dataflow/domain/sharing"
	"github.com/dataflowhq/dataflow/views"
	"github.com/dataflowhq/dataflow/warehouse"
)

func (s *boardSite) admin() access.Actor {
	return access.Actor{Kind: access.Person, TenantID: s.one.ID, UserID: s.users["admin"], Role: access.Admin}
}

// Whom something is not shared with gets the same answers as a stranger: a
// colleague who may edit everything else walks all routes.
func TestEveryRouteIsClosedToWhomItIsNotSharedWith(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	ctx := t.Context()
	board, err := s.Dashboards.Duplicate(ctx, s.admin(), s.board.ID, "Trading secrets")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := s.Dashboards.CreateFolder(ctx, s.admin(), ids.Folder{}, "Trading secrets")
	if err != nil {
		t.Fatal(err)
	}
	dataset, err := s.Datasets.Create(ctx, s.admin(), datasets.NewDataset{Name: "Trading secrets", Columns: []datasets.NewColumn{{Name: "x", Type: warehouse.Text}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []sharing.Object{{Kind: sharing.Dashboard, ID: board.ID.UUID()}, {Kind: sharing.Folder, ID: folder.ID.UUID()}, {Kind: sharing.Dataset, ID: dataset.UUID()}} {
		if err := s.Sharing.Restrict(ctx, s.admin(), o, true); err != nil {
			t.Fatal(err)
		}
	}
	b := s.as(t, "editor")
	checked := s.walk(t, b, map[string]string{"/dashboards/{id}": board.ID.String(), "/folders/{id}": folder.ID.String(), "/datasets/{id}": dataset.String()}, nil)
	if checked < 50 {
		t.Errorf("only %d routes were checked", checked)
	}
	b.t = t
	for _, path := range []string{views.PathHome, views.PathDashboards, views.PathDashboards + "?q=secrets", views.PathDatasets, views.PathNewDashboard,
		s.path("/move"), s.path("/edit")} {
		if page := b.get(path).want(http.StatusOK); strings.Contains(page.body, "Trading secrets") {
			t.Errorf("%s tells of what is not shared", path)
		}
	}
	found := b.request(http.MethodGet, views.PathSearch+"?q=secrets", inDialog("")).want(http.StatusOK)
	if strings.Contains(found.body, "Trading secrets") {
		t.Error("the search finds what is not shared")
	}
	// Looking is one thing, changing another.
	if err := s.Sharing.Share(ctx, s.admin(), sharing.Object{Kind: sharing.Dashboard, ID: board.ID.UUID()}, sharing.Subject{User: s.users["editor"]}, false); err != nil {
		t.Fatal(err)
	}
	path := views.PathDashboard(board.ID.String())
	page := b.get(path).want(http.StatusOK).shows("h1", "Trading secrets")
	if page.page.Find("[data-key-edit]").Length() != 0 {
		t.Error("somebody who may only view is offered to edit")
	}
	for _, change := range []string{"/rename", "/move", "/tags", "/delete", "/publish", "/share"} {
		refused := b.post(path+change, "name", "Mine", "subject", "role:viewer", "level", "view").want(http.StatusForbidden)
		if !strings.Contains(refused.body, "You can view this") {
			t.Errorf("%s is refused without saying why", change)
		}
	}
	b.get(path + "/edit").want(http.StatusForbidden)
}

func TestShareDialog(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "editor")
	share := s.path("/share")
	b.get(share).want(http.StatusOK).shows(".share-scope b", "Everybody").shows("#share-link", "")
	b.request(http.MethodPost, share+"/restrict", inDialog(s.url+s.path("?f.channel=web")), "restricted", "true").want(http.StatusOK).shows(".share-scope b", "Restricted")
	s.as(t, "viewer").get(s.path("")).want(http.StatusNotFound)
	viewer := "user:" + s.users["viewer"].String()
	added := b.request(http.MethodPost, share, inDialog(s.url+s.path("?f.channel=web")), "subject", viewer, "level", "edit").want(http.StatusOK).
		shows(".share-list", "Can view") // never more than the role
	if link := added.page.Find("#share-link").AttrOr("value", ""); link != s.url+s.path("?f.channel=web") {
		t.Errorf("the link is %q", link)
	}
	s.as(t, "viewer").get(s.path("")).want(http.StatusOK)
	b.request(http.MethodPost, share, inDialog(""), "subject", "user:nonsense", "level", "view").want(http.StatusUnprocessableEntity).shows(".notice", "no such person")
	b.request(http.MethodPost, share+"/remove", inDialog(""), "subject", viewer).want(http.StatusOK)
	s.as(t, "viewer").get(s.path("")).want(http.StatusNotFound)
	// Without scripts the forms lead back to the dialog's page.
	b.post(share+"/restrict", "restricted", "false").leadsTo(share)
	s.as(t, "viewer").get(share).want(http.StatusOK).lacks("form.share-add")
}

func inDialog(current string) map[string]string {
	return map[string]string{"HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": current}
}

func TestGroupsOfPeople(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "admin")
	b.get(views.PathGroups).want(http.StatusOK).shows(".empty-title", "No groups yet")
	b.post(views.PathGroups, "name", " ").want(http.StatusUnprocessableEntity)
	made := b.post(views.PathGroups, "name", "Trading").want(http.StatusSeeOther)
	path := made.header.Get("Location")
	b.post(views.PathGroups, "name", "TRADING").want(http.StatusConflict).shows("#new-group", "exists already")
	b.get(path).want(http.StatusOK).shows("h1", "Trading")
	b.post(path, "name", "Traders", "member", s.users["viewer"].String()).leadsTo(views.PathGroups)
	b.get(views.PathGroups).shows("td", "Traders").shows("td", "1 person")

	// What is shared with the group is shared with its people from the next request on.
	o := sharing.Object{Kind: sharing.Dashboard, ID: s.board.ID.UUID()}
	if err := s.Sharing.Restrict(t.Context(), s.editor(), o, true); err != nil {
		t.Fatal(err)
	}
	s.as(t, "viewer").get(s.path("")).want(http.StatusNotFound)
	id, err := ids.Parse[ids.Group](path[strings.LastIndexByte(path, '/')+1:])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sharing.Share(t.Context(), s.editor(), o, sharing.Subject{Group: id}, false); err != nil {
		t.Fatal(err)
	}
	s.as(t, "viewer").get(s.path("")).want(http.StatusOK)
	b.post(path, "name", "Traders").leadsTo(views.PathGroups)
	s.as(t, "viewer").get(s.path("")).want(http.StatusNotFound)
	b.post(path + "/delete").leadsTo(views.PathGroups)
	b.get(path).want(http.StatusNotFound)
	s.as(t, "editor").get(views.PathGroups).want(http.StatusForbidden)
	s.as(t, "foreign").get(path).want(http.StatusNotFound)
}

func TestFoldersLieInFolders(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "editor")
	outer := s.folder.ID.String()
	made := b.post(views.PathFolders, "name", "Inner", "parent", outer).want(http.StatusSeeOther)
	target, err := url.Parse(made.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	inner := target.Query().Get("folder")
	b.get(views.PathDashboards).shows(".folder b", "Trading").lacks("#folder-" + inner)
	b.get(views.PathDashboards+"?folder="+outer).shows(".folder b", "Inner").shows(".folder-trail b", "Trading")
	b.get(views.PathDashboards+"?folder="+inner).shows(".folder-trail", "Trading").shows(".folder-trail b", "Inner")
	b.post(views.PathFolders+"/"+outer+"/move", "folder", inner).want(http.StatusUnprocessableEntity)
	form := b.get(views.PathFolders + "/" + outer + "/move").want(http.StatusOK)
	if form.page.Find("option[value='"+inner+"']").Length() != 0 {
		t.Error("a folder is offered to be moved into one below it")
	}
	b.post(views.PathFolders+"/"+inner+"/move", "folder", "").want(http.StatusSeeOther)
	b.get(views.PathDashboards).shows("#folder-"+inner, "")
	b.post(views.PathDashboards + "/undo").want(http.StatusSeeOther)
	b.get(views.PathDashboards+"?folder="+outer).shows(".folder b", "Inner")
}

// A folder's name that is taken is said in the form, which keeps it.
func TestANameOfAFolderIsTaken(t *testing.T) {
	t.Parallel()
	s := newBoardSite(t)
	b := s.as(t, "editor")
	b.post(views.PathFolders, "name", "Board papers").want(http.StatusSeeOther)
	again := b.post(views.PathFolders, "name", "board PAPERS").want(http.StatusUnprocessableEntity).shows(".field-error", "")
	if kept := again.page.Find("#folder-name").AttrOr("value", ""); kept != "board PAPERS" {
		t.Errorf("the form has %q", kept)
	}
}
