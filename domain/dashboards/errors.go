package dashboards

import (
	"errors"
	"regexp"
	"strings"

	"github.com/dataflowhq/dataflow/domain/access"
	"github.com/dataflowhq/dataflow/platform/apperr"
	"github.com/dataflowhq/dataflow/warehouse"
)

// What can go wrong with a dashboard, as people and the API see it.
var (
	// ErrNotFound also covers "exists in another workspace": never reveal which.
	ErrNotFound = apperr.Define(apperr.NotFound, "dashboards.not_found",
		"This dashboard does not exist or was removed.")
	// ErrRowsWithheld is that of a query for single rows.
	ErrRowsWithheld   = warehouse.ErrRowsWithheld
	ErrWidgetNotFound = apperr.Define(apperr.NotFound, "dashboards.widget_not_found",
		"This widget does not exist or was removed.")
	ErrControlNotFound = apperr.Define(apperr.NotFound, "dashboards.filter_not_found",
		"This filter does not exist or was removed.")
	ErrViewNotFound = apperr.Define(apperr.NotFound, "dashboards.view_not_found",
		"This view does not exist or was removed.")
	ErrViewName = apperr.Define(apperr.Invalid, "dashboards.view_name_invalid",
		"The name of a view has 1 to 80 characters.")
	ErrTooManyViews = apperr.Define(apperr.Invalid, "dashboards.too_many_views",
		"You have as many views of this dashboard as there can be. Delete one first.")
	ErrTemplateNotFound = apperr.Define(apperr.NotFound, "dashboards.template_not_found",
		"This template does not exist or was removed.")
	ErrTemplateAbout = apperr.Define(apperr.Invalid, "dashboards.template_about_invalid",
		"The description of a template has at most 300 characters.")
	ErrTemplateFit = apperr.Define(apperr.Invalid, "dashboards.template_fit_invalid",
		"The fields that were chosen do not fit the template.")
	ErrTooManyTemplates = apperr.Define(apperr.Invalid, "dashboards.too_many_templates",
		"This workspace has as many templates as there can be. Delete one first.")
	ErrFolderNotFound = apperr.Define(apperr.NotFound, "dashboards.folder_not_found",
		"This folder does not exist or was removed.")
	ErrStale = apperr.Define(apperr.Conflict, "dashboards.stale",
		"Somebody else changed this dashboard in the meantime. Reload and try again.")
	// ErrDataHidden also covers a dataset that was deleted: never reveal which.
	ErrDataHidden = apperr.Define(apperr.Forbidden, "dashboards.data_hidden",
		"The dataset behind this widget is not shared with you, or it was removed. Ask the owner of the dashboard, or an admin of the workspace.")
	ErrName = apperr.Define(apperr.Invalid, "dashboards.name_invalid",
		"A name has 1 to 120 characters.")
	ErrFolderName = apperr.Define(apperr.Invalid, "dashboards.folder_name_invalid",
		"A folder's name has 1 to 80 characters.")
	ErrFolderTaken = apperr.Define(apperr.Conflict, "dashboards.folder_name_taken",
		"A folder with this name exists already.")
	// ErrFileWithheld names no column, nor how many there are.
	ErrFileWithheld = apperr.Define(apperr.Forbidden, "dashboards.file_withheld",
		"This dashboard uses columns that you can't see, so its file is not for you. Ask an admin of the workspace.")
	ErrFolderInside = apperr.Define(apperr.Invalid, "dashboards.folder_inside_itself",
		"A folder can't be moved into itself or into a folder below it.")
	ErrFolderDeep = apperr.Define(apperr.Invalid, "dashboards.folder_too_deep",
		"Folders lie at most eight deep.")
	ErrFolderRestricted = apperr.Define(apperr.Conflict, "dashboards.folder_restricted",
		"This folder is restricted: without it, everybody could see what lies in it. Move that elsewhere first, or share the folder with the whole workspace.")
	ErrTags = apperr.Define(apperr.Invalid, "dashboards.tags_invalid",
		"A dashboard has at most 20 tags, of 1 to 40 characters each.")
	ErrConfig = apperr.Define(apperr.Invalid, "dashboards.config_invalid",
		"The dashboard's config is not valid.")
	ErrConfigTooNew = apperr.Define(apperr.Invalid, "dashboards.config_too_new",
		"This dashboard was written by a newer version of DataFlow.")
	ErrOperation = apperr.Define(apperr.Invalid, "dashboards.operation_invalid",
		"This change can't be applied to the dashboard.")
	ErrFilters = apperr.Define(apperr.Invalid, "dashboards.filters_invalid",
		"The link holds a filter that can't be read. Reset the filters.")
	ErrNoColumns = apperr.Define(apperr.Invalid, "dashboards.nothing_to_show",
		"The dataset has no column yet. Load data into it first.")
)

// sentence is what a person may see of err.
func sentence(err error) string { return apperr.Describe(err).Sentence }

// ErrUnseen is beside the error about a column that is not there, or that a rule
// hides: which of both, who looks must not learn.
var ErrUnseen = errors.New("not there, or hidden")

// IsHidden tells of what is kept from who looks, or may be.
func IsHidden(err error) bool {
	return errors.Is(err, access.ErrForbidden) || errors.Is(err, ErrUnseen) || apperr.Describe(err).Class == apperr.Forbidden
}

// discreet takes the names out of an error of a question that the viewer did not
// write: what a rule hides from them is in the dashboard's config, and looks like
// what was removed.
func (v *View) discreet(err error) error {
	if err == nil || v.Draft || v.Sees() == "" {
		return err
	}
	if errors.Is(err, warehouse.ErrUnknownColumn) || errors.Is(err, warehouse.ErrDroppedColumn) || errors.Is(err, warehouse.ErrUnknownLookup) || strings.HasPrefix(apperr.Describe(err).Code, "expression.") {
		if v.hides() {
			err = errors.Join(ErrUnseen, err)
		}
		return warehouse.ErrUnknownColumn.With("A column that this uses is not there, or not for you to see.").Wrap(err)
	}
	return err
}

// hides tells whether rules take a column away from who looks.
func (v *View) hides() bool {
	for _, sc := range v.schemas {
		if sc == nil {
			continue
		}
		if sc.Dataset.Hides {
			return true
		}
		for _, target := range sc.targets {
			if target.Hides {
				return true
			}
		}
	}
	return false
}

func asError[T error](err error, target *T) bool { return errors.As(err, target) }

// queryPlace is the place in a query that a sentence about it begins with, for
// programs: "measures[0].numerator: ".
var queryPlace = regexp.MustCompile(`^(measures|dimensions|filters|columns|order)(?:\[\d+\])?(?:\.[a-z_]+(?:\[\d+\])?)*(: | )`)

// CutPlace takes the place in a query off a sentence for people. whole tells that the
// rest is a sentence; else its subject was part of the query. part is empty where
// there is no place.
func CutPlace(sentence string) (part, rest string, whole bool) {
	m := queryPlace.FindStringSubmatch(sentence)
	if m == nil {
		return "", sentence, true
	}
	return m[1], sentence[len(m[0]):], m[2] == ": "
}
